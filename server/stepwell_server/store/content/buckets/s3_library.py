"""aiobotocore without httpx, its other way to ask: it loads that wherever it is installed, which takes 2 MB."""

import sys

_hidden = {"httpx", "httpx2"} - sys.modules.keys()
for _name in _hidden:
    sys.modules[_name] = None  # type: ignore[assignment]  # it is not found
try:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session
finally:
    for _name in _hidden:
        del sys.modules[_name]

__all__ = ["AioConfig", "get_session"]
