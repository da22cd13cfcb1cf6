"""Makes the Python stubs beside the .proto files. This is the only way they are made.

python protos/generate.py          write them
python protos/generate.py --check  compare with what is committed; exits 1 and names what differs
"""

import argparse
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def generate(target: Path) -> dict[str, str]:
    """Write the stubs of every .proto below `target` and return their texts by relative path."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    plugins = ("python", "grpc_python", "mypy", "mypy_grpc")
    # grpc_tools ships the well-known types beside itself.
    well_known = Path(protoc.__file__).parent / "_proto"
    beside = Path(sys.executable).parent
    arguments = [
        f"-I{PROTOS}",
        f"-I{well_known}",
        *(f"--plugin=protoc-gen-{name}={beside / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")),
        *(f"--{plugin}_out={target}" for plugin in plugins),
        *sources,
    ]
    if protoc.main(["protoc", *arguments]) != 0:
        sys.exit("protoc failed; see above")
    return stubs(target)


def stubs(folder: Path) -> dict[str, str]:
    """Texts of the stubs below `folder` by relative path."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(SUFFIXES)
    }


def main() -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        generate(PROTOS)
        return
    with tempfile.TemporaryDirectory() as folder:
        made, committed = generate(Path(folder)), stubs(PROTOS)
    different = sorted(
        name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name)
    )
    if different:
        sys.exit("The stubs do not match the contract; run `make protos`. Different: " + ", ".join(different))


if __name__ == "__main__":
    main()
