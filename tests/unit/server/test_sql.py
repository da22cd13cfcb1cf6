from pathlib import Path

import pytest

from stepwell_server.store import sql


def test_queries_are_found_by_name() -> None:
    text = "-- About the file.\n\n-- one: first.\nSELECT 1;\n\n-- two: second.\n-- a remark\nSELECT 2;\n"
    assert sql.parse(text, "x") == {"one": "SELECT 1", "two": "-- a remark\nSELECT 2"}


def test_a_query_has_a_form_for_one_machine_and_one_for_several(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "-- one: first.\nSELECT /* single */ a /* distributed: b, c */ FROM t /* distributed: WHERE d */;\n"
    )
    queries = sql.Queries(sql.parse(text, "x"))
    assert dict(queries) == {"one": "SELECT a FROM t "}
    monkeypatch.setattr(sql.Queries, "is_distributed", True)
    assert dict(queries) == {"one": "SELECT b, c FROM t WHERE d"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-- a: x\nSELECT 1;\n-- a: y\nSELECT 2;", "twice"),
        ("-- a:\nSELECT 1;", "purpose"),
        ("-- a: x\n", "text"),
        ("SELECT 1;", "no `-- name: purpose`"),
    ],
)
def test_badly_written_files_are_errors(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sql.parse(text, "x")


def test_every_file_can_be_loaded() -> None:
    for path in Path(sql.__file__).parent.glob("*.sql"):
        assert sql.load(path.stem)
