"""Google's own library as its users call it: sends a file, fetches it and prints the seconds. Then the object goes.

    .venv-compare/google/bin/python benchmarks/artifacts/google_library.py BUCKET SOURCE TARGET

Runs in an environment of its own, on the stand-in that STORAGE_EMULATOR_HOST names.
"""

import json
import sys
import time

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

# Of one piece: the stand-in answers when it has hashed all pieces so far.
PATIENCE_S = 600


def main(bucket: str, source: str, target: str) -> None:
    """Send it, and fetch it."""
    client = storage.Client(project="tests", credentials=AnonymousCredentials())
    blob = client.bucket(bucket).blob(f"library-{time.time_ns()}")
    started = time.perf_counter()
    blob.upload_from_filename(source, timeout=PATIENCE_S)
    sent = time.perf_counter()
    blob.download_to_filename(target, timeout=PATIENCE_S)
    print(json.dumps({"upload_s": sent - started, "download_s": time.perf_counter() - sent}))
    blob.delete()


if __name__ == "__main__":
    main(*sys.argv[1:])
