"""The model that answers now, and its next version: loaded beside it, and in its place from one request to the next."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from logging import getLogger
from time import perf_counter

from stepwell.errors import StepwellException
from stepwell.models import places
from stepwell.models.pyfunc.loaded import PyFuncModel
from stepwell.models.pyfunc.loading import load_model
from stepwell.serving.config import ServingConfig

_log = getLogger("stepwell.serving")


@dataclass(frozen=True, slots=True)
class Version:
    """A loaded model, and which one it is."""

    model: PyFuncModel
    source: str


class ServedModel:
    """The version that answers. Requests that began with another one end with it."""

    def __init__(self, config: ServingConfig, told: Callable[[str, float], None] | None = None) -> None:
        self._config = config
        self._told = told
        self.current = Version(load_model(config.folder), config.source)
        self.reload_failed = False

    async def follow(self) -> None:
        """Look for another version again and again; a failure leaves the one that answers."""
        while True:
            await asyncio.sleep(self._config.reload_interval_s)
            try:
                await self.look()
                self.reload_failed = False
            except Exception as failure:  # noqa: BLE001 - whatever it is, the version that is there goes on
                if not self.reload_failed:
                    _log.warning(
                        "%s cannot be loaded anew, %s answers on: %s",
                        self._config.model_uri,
                        self.current.source,
                        failure.message if isinstance(failure, StepwellException) else repr(failure),
                    )
                self.reload_failed = True

    async def look(self) -> bool:
        """Load the version that the URI means now, if it is another; tell whether it was."""
        source = await asyncio.to_thread(places.source_of, self._config.model_uri)
        if source == self.current.source:
            return False
        began = perf_counter()
        model = await asyncio.to_thread(load_model, self._config.model_uri)
        self.current = Version(model, source)
        seconds = perf_counter() - began
        _log.warning("%s is %s now, loaded in %.1f s.", self._config.model_uri, source, seconds)
        if self._told is not None:
            self._told(source, seconds)
        return True
