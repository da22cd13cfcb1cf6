"""What the server asks of the operating system, tried in a process of its own."""

import subprocess
import sys

SCRIPT = """
import resource
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
from stepwell_server.process.limits import allow_all_files
allow_all_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most))
"""


def test_a_server_may_open_as_many_files_as_its_user() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


# What is free lies below something that is not, so malloc keeps it.
FREED = """
import asyncio
from stepwell_server.process.free_memory import FreeMemory, anonymous_bytes

async def main():
    async with FreeMemory(look_s=0.01):
        freed = [b"x" * 100_000 for _ in range(1_000)]
        kept = b"x" * 100_000
        most = anonymous_bytes()
        freed.clear()
        assert anonymous_bytes() > most - 1_000_000
        while anonymous_bytes() > most - 90_000_000:
            await asyncio.sleep(0.01)
    print(len(kept))

asyncio.run(main())
"""


def test_what_is_free_after_work_is_given_back() -> None:
    command = [sys.executable, "-c", FREED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "100000\n"
