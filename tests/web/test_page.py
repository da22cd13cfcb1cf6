"""Files of the page, as those who ask can take them."""

import gzip
from pathlib import Path

import pytest
from starlette.requests import Request

from stepwell_server.web.page import read_page

SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    for name in ("packed.js", "plain.js"):
        (tmp_path / "assets" / name).write_bytes(SCRIPT)
    (tmp_path / "assets" / "packed.js.gz").write_bytes(gzip.compress(SCRIPT))
    return tmp_path


@pytest.mark.parametrize("takes", ["gzip, deflate, br", "identity"])
async def test_files_come_as_gzip_where_it_is_taken(folder: Path, takes: str) -> None:
    files = read_page(folder)
    assert set(files) == {"assets/packed.js", "assets/plain.js"}
    request = Request({"type": "http", "headers": [(b"accept-encoding", takes.encode())]})
    for path, file in files.items():
        answer = await file.answer(request)
        is_packed = path == "assets/packed.js" and "gzip" in takes
        assert answer.headers.get("content-encoding") == ("gzip" if is_packed else None)
        assert answer.headers["vary"] == "accept-encoding"
        assert (gzip.decompress(answer.body) if is_packed else answer.body) == SCRIPT
