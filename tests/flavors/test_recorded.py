"""What MLflow wrote, as it wrote it (`python -m tests.flavors.record`), loads here and predicts what it did there."""

from pathlib import Path

import pytest

import stepwell
from tests.flavors.cases import CASES
from tests.flavors.read import read

RECORDED = Path(__file__).parent / "recorded"
# Read in environments of their own, which have them: `make test-flavors`.
HEAVY = {"tensorflow", "fastai"}


def _recorded() -> list[Path]:
    """Return what is read in this Python: where it has a heavy library, that one's; else all but theirs."""
    places = {place.with_suffix(""): CASES[place.stem] for place in sorted(RECORDED.glob("*/*.json"))}
    heavy = [place for place, case in places.items() if case.library in HEAVY and case.has_library()]
    return heavy or [place for place, case in places.items() if case.library not in HEAVY]


@pytest.mark.parametrize("place", _recorded(), ids=lambda place: f"{place.parent.name}-{place.name}")
@pytest.mark.filterwarnings("ignore")
def test_predicts_what_it_did(place: Path) -> None:
    assert read(stepwell, place) == ""
