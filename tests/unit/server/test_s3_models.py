"""botocore's descriptions, made smaller, say the same of S3."""

import gzip
import json
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.model import ServiceModel, Shape

from stepwell_server.store.content.buckets.s3_models import S3_OPERATIONS, SERVICES, LeanFileLoader

DATA = Path(botocore.__file__).parent / "data"


def test_the_addresses_of_s3_are_all_there() -> None:
    whole = json.loads((DATA / "endpoints.json").read_bytes())
    for partition in whole["partitions"]:
        partition["services"] = {
            name: each for name, each in partition["services"].items() if name in SERVICES
        }
    assert LeanFileLoader().load_file(str(DATA / "endpoints")) == whole
    assert any("s3" in partition["services"] for partition in whole["partitions"])


@pytest.mark.parametrize(
    ("text", "lean"),
    [
        ('{"partitions": []}', {"partitions": []}),
        ('{"services": {}, "version": 3}', {"services": {}, "version": 3}),
        (
            '{"services": {"ec2": {"services": {"s3": {}}}, "s3": {"services": {"a": 1}}}}',
            {"services": {"s3": {"services": {"a": 1}}}},
        ),
    ],
    ids=["no services", "an empty one", "nested"],
)
def test_other_services_are_left_out(tmp_path: Path, text: str, lean: Any) -> None:
    (tmp_path / "endpoints.json").write_text(text)
    assert LeanFileLoader().load_file(str(tmp_path / "endpoints")) == lean


def test_all_that_is_called_of_s3_is_described_as_a_whole() -> None:
    (folder,) = (DATA / "s3").iterdir()
    lean = LeanFileLoader().load_file(str(folder / "service-2"))
    whole = json.loads(gzip.decompress((folder / "service-2.json.gz").read_bytes()))
    assert lean["operations"].keys() == S3_OPERATIONS
    assert len(lean["shapes"]) < len(whole["shapes"]) / 2
    model = ServiceModel(lean, "s3")
    for name in S3_OPERATIONS:
        called = model.operation_model(name)
        for shape in (called.input_shape, called.output_shape, *called.error_shapes):
            assert shape is None or members_of(shape) == members_of(
                ServiceModel(whole, "s3").shape_for(shape.name)
            )


def members_of(shape: Shape) -> dict[str, Any]:
    """Everything that belongs to a shape, by its path."""
    found = {"": shape.type_name}
    for name, member in getattr(shape, "members", {}).items():
        found |= {f"{name}.{path}": each for path, each in members_of(member).items()}
    if shape.type_name == "list":
        found |= {f"[].{path}": each for path, each in members_of(shape.member).items()}
    return found
