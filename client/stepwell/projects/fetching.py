"""Parameters that name files elsewhere: what they name is brought here, for one run."""

from pathlib import Path

from stepwell import artifacts
from stepwell.runs.context import without_credentials


class Fetching:
    """Fetches what parameters name, each into a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Fetch into `folder`, which goes with the run."""
        self._folder = folder
        self._addresses: dict[str, str] = {}

    def __call__(self, address: str) -> str:
        """Return where what an address names is now. Raises as `download_artifacts`."""
        folder = self._folder / f"param_{len(self._addresses) + 1}"
        folder.mkdir()
        fetched = artifacts.download_artifacts(address, dst_path=str(folder))
        self._addresses[fetched] = address
        return fetched

    def origin(self, value: str) -> str:
        """Return where a value was fetched from, without what may be secret in that address; else the value itself."""
        if value not in self._addresses:
            return value
        address = without_credentials(self._addresses[value])
        return address.partition("?")[0] if address.startswith(("http://", "https://")) else address
