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
    places = [place.with_suffix("") for place in sorted(RECORDED.glob("*/*.json"))]
    heavy_here = any(
        CASES[place.name].has_library() for place in places if CASES[place.name].library in HEAVY
    )
    return [place for place in places if (CASES[place.name].library in HEAVY) == heavy_here]


@pytest.mark.parametrize("place", _recorded(), ids=lambda place: f"{place.parent.name}-{place.name}")
@pytest.mark.filterwarnings("ignore")
def test_predicts_what_it_did(place: Path) -> None:
    assert read(stepwell, place) == ""
