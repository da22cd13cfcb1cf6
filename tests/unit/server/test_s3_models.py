"""botocore's descriptions, made smaller, say the same of S3."""

import json
from pathlib import Path
from typing import Any

import botocore
import pytest

from stepwell_server.store.content.buckets.s3_models import SERVICES, LeanFileLoader

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
