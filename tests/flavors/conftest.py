"""Models of other libraries, with the real library: in this Python what is light, the rest by `make test-flavors`."""

import os
from importlib.util import find_spec

# Needs environments of some gigabytes: `make test-flavors`.
collect_ignore = (
    []
    if os.environ.get("STEPWELL_TEST_FLAVORS")
    else ["test_environments.py", "test_tutorials.py", "integrations"]
)
# Each of these has an environment of its own, which its tests run in.
for library in ("tensorflow", "fastai"):
    if not find_spec(library):
        collect_ignore += [f"test_{library}.py"]
    collect_ignore += [f"test_autolog_{library}.py"]

if not find_spec("tensorflow"):
    os.environ.setdefault("KERAS_BACKEND", "torch")
