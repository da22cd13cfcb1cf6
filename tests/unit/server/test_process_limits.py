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
