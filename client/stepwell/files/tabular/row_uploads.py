"""The upload of a table with more rows: the server takes it if the table is still the one that they were added to."""

from collections.abc import Sequence

from stepwell.files.local import Source
from stepwell.files.uploads import Uploader
from stepwell_api.v1 import artifacts_pb2


class RowUploader(Uploader):
    """Sends one table; `added` tells then whether its rows are in the table, or somebody else has changed it."""

    def __init__(self, uri: str, run_id: str, replaces_sha256: bytes, call_id: str) -> None:
        super().__init__(uri, run_id)
        self._replaces_sha256 = replaces_sha256
        self._call_id = call_id
        self.added = False

    def _begin(self, sources: Sequence[Source]) -> Sequence[artifacts_pb2.UploadPlan]:
        specs = [source.spec for source in sources]
        return self._calls.begin(self._run_id, specs, direct=self._direct(), hidden=True)

    def _complete(self, finished: Sequence[artifacts_pb2.FinishedUpload], count: int) -> None:
        (upload,) = finished
        self.added = self._calls.add_rows(self._run_id, upload, self._replaces_sha256, self._call_id, count)
