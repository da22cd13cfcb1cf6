"""One worker process; see `workers.py`, which starts it. Not meant to be started by people."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from stepwell_server.app import running_server
from stepwell_server.config import (
    CallerLimits,
    Config,
    HoldingLimits,
    HttpLimits,
    ProviderConfig,
    SignInConfig,
    TlsFiles,
)
from stepwell_server.errors import StepwellError
from stepwell_server.process.logger import bind_fields, get_logger
from stepwell_server.process.logs import set_up_logs
from stepwell_server.process.signals import stop_on_signals
from stepwell_server.workers import READY

log = get_logger(__name__)


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    settings = json.loads(sys.stdin.buffer.readline())
    config = config_of(settings["config"])
    set_up_logs(settings["log_format"], settings["log_level"])
    bind_fields(worker=settings["number"])
    try:
        asyncio.run(serve(config))
    except StepwellError as error:
        log.error("worker cannot start", reason=str(error))
        sys.exit(1)


def config_of(fields: dict[str, Any]) -> Config:
    """Return what `asdict` took apart and JSON carried here."""
    rebuilt = {
        "data": Path(fields["data"]),
        "http_limits": HttpLimits(**fields["http_limits"]),
        "holding_limits": HoldingLimits(**fields["holding_limits"]),
        "caller_limits": CallerLimits(**fields["caller_limits"]),
        "tls": TlsFiles(**fields["tls"]) if fields["tls"] else None,
        "sign_in": _sign_in_of(fields["sign_in"]),
    }
    return Config(**{**fields, **rebuilt})


def _sign_in_of(fields: dict[str, Any]) -> SignInConfig:
    provider = fields["provider"]
    return SignInConfig(**{**fields, "provider": provider and ProviderConfig(**provider)})


async def serve(config: Config) -> None:
    """Run the server until SIGTERM, or the end of standard input."""
    stop_on_signals()
    orphaned = asyncio.create_task(_cancel_when_orphaned(_current()))
    try:
        async with running_server(config):
            os.write(sys.stdout.fileno(), READY)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        log.info("worker stopped")
    finally:
        orphaned.cancel()


def _current() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task


async def _cancel_when_orphaned(serving: "asyncio.Task[Any]") -> None:
    """The parent holds the other end of standard input for as long as it lives."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    )
    await reader.read()
    log.warning("the parent process is gone")
    serving.cancel()


if __name__ == "__main__":
    main()
