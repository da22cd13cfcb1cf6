"""Which places for artifacts there are, and which of them experiments may use."""

from pathlib import Path

import pytest

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.store.content.forms import DATA_ROOT
from stepwell_server.store.content.locations import Locations, default_root


@pytest.mark.parametrize(
    ("setting", "root"),
    [
        (None, DATA_ROOT),
        ("", DATA_ROOT),
        ("/srv/a b", "file:///srv/a%20b"),
        ("file:///srv/a%20b", "file:///srv/a%20b"),
        ("file:/srv/x", "file:///srv/x"),
        ("file://localhost/srv/x", "file:///srv/x"),
        ("./a:b", f"file://{Path.cwd()}/a%3Ab"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("gs://bucket/a b/", "gs://bucket/a b"),
        ("az://container/a/", "az://container/a"),
        ("abfs://container", "az://container"),
        ("wasb://box@account.blob.core.windows.net/a", "wasbs://box@account.blob.core.windows.net/a"),
        ("abfss://box@account.dfs.core.windows.net/a", "wasbs://box@account.blob.core.windows.net/a"),
    ],
)
def test_places_that_are_served(setting: str | None, root: str) -> None:
    assert default_root(setting) == root


@pytest.mark.parametrize(
    "setting",
    [
        "gs:bucket",
        "gs:///x",
        "az://container/a b",
        "az://container/ü",
        "az://container/../x",
        "az://Container/x",
        "wasbs://container/x",
        "wasbs://container@evil.example.org/x",
        "abfss://a@b/c",
        "hdfs://x/y",
        "S3://bucket",
        "s3:bucket",
        "C:\\x",
        "file://host/x",
        "/srv\0/x",
    ],
)
def test_places_that_are_not_served_are_named(setting: str) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        default_root(setting)
    assert repr(setting) in str(refusal.value)


def test_experiments_use_what_the_server_was_started_with_and_what_is_below(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    locations = Locations("s3://bucket/prod", [str(tmp_path)], ["s3://team/x/"])
    assert locations.root_of("") == "s3://bucket/prod"
    for location in ("s3://bucket/prod", "s3://bucket/prod/a", "s3://team/x/y", f"file://{tmp_path}/a"):
        assert locations.root_of(location) == location
    for location in (
        "s3://bucket",
        "s3://bucket/production",
        "s3://team/x/../y",
        "s3://team",
        "s3://other/x",
        f"file://{tmp_path}/../x",
        f"{tmp_path}/link/x",
    ):
        with pytest.raises(InvalidArgumentError):
            locations.root_of(location)
