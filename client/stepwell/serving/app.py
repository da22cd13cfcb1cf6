"""The routes of a server of a model: /ping /health /version /metrics, and /invocations with its limits."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from time import perf_counter

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from stepwell import __version__
from stepwell.serving import scoring
from stepwell.serving.config import ServingConfig
from stepwell.serving.figures import Figures
from stepwell.serving.scoring import Answer
from stepwell.serving.served import ServedModel


class _TooLargeError(Exception):
    pass


class ModelServer:
    """One worker: a model, threads that ask it, and what is counted."""

    def __init__(self, config: ServingConfig) -> None:
        self.config = config
        self.figures = Figures()
        self.served = ServedModel(config, lambda source, seconds: self.figures.reloads.inc())
        self.threads = ThreadPoolExecutor(config.threads, thread_name_prefix="predict")
        self.waiting = 0

    async def invoke(self, request: Request) -> Response:
        """Answer a request to /invocations."""
        began = perf_counter()
        answer = await self._answer(request)
        self.figures.requests.labels(str(answer.status)).inc()
        self.figures.seconds.observe(perf_counter() - began)
        headers = {"retry-after": "1"} if answer.status == 503 else None
        return Response(answer.body, answer.status, headers, answer.content_type)

    async def _answer(self, request: Request) -> Answer:
        content_type = request.headers.get("content-type")
        refused = scoring.refused_type(content_type)
        if refused is not None:
            return refused
        if self.waiting >= self.config.requests_max:
            return scoring.error(
                503,
                "REQUEST_LIMIT_EXCEEDED",
                f"{self.waiting} requests wait for the model already; try again.",
            )
        self.waiting += 1
        self.figures.waiting.inc()
        try:
            body = await self._body(request)
            return await self._scored(str(content_type), body)
        except _TooLargeError:
            return scoring.error(
                413,
                "REQUEST_LIMIT_EXCEEDED",
                f"The request has more than {self.config.body_bytes_max:,} bytes (--body-bytes-max).",
            )
        except ClientDisconnect:
            return scoring.error(400, "BAD_REQUEST", "The client went away.")
        finally:
            self.waiting -= 1
            self.figures.waiting.dec()

    async def _scored(self, content_type: str, body: bytes) -> Answer:
        # The version of this moment, also if another takes its place meanwhile.
        model = self.served.current.model
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self.threads, scoring.score, model, content_type, body)
        try:
            async with asyncio.timeout(self.config.timeout_s):
                return await asked
        except TimeoutError:
            return scoring.error(
                504,
                "DEADLINE_EXCEEDED",
                f"The model took longer than {self.config.timeout_s:g} seconds (--timeout).",
            )

    async def _body(self, request: Request) -> bytes:
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self.config.body_bytes_max:
            raise _TooLargeError
        pieces, size = [], 0
        async for piece in request.stream():
            size += len(piece)
            if size > self.config.body_bytes_max:
                raise _TooLargeError
            pieces.append(piece)
        return b"".join(pieces)

    async def health(self, request: Request) -> Response:
        """Say that the model is loaded."""
        return Response("\n", media_type="application/json")

    async def version(self, request: Request) -> Response:
        """Say which Stepwell this is."""
        return PlainTextResponse(__version__)

    async def metrics(self, request: Request) -> Response:
        """Return the page for Prometheus."""
        page, content_type = self.figures.page()
        return Response(page, media_type=content_type)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Follow the URI while the server runs, if it is to."""
        following = None
        if self.config.reload_interval_s > 0:
            following = asyncio.create_task(self.served.follow())
        try:
            yield
        finally:
            if following is not None:
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following
            self.threads.shutdown(wait=False, cancel_futures=True)


def build(config: ServingConfig) -> Starlette:
    """Return the application; the model is loaded when this returns."""
    server = ModelServer(config)
    return Starlette(
        routes=[
            Route("/invocations", server.invoke, methods=["POST"]),
            Route("/ping", server.health),
            Route("/health", server.health),
            Route("/version", server.version),
            Route("/metrics", server.metrics),
        ],
        lifespan=server.lifespan,
        exception_handlers={HTTPException: _refused},
    )


def create() -> Starlette:
    """Return the application of a worker, by what the process that started it left."""
    return build(ServingConfig.from_environment())


async def _refused(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    return JSONResponse({"detail": failure.detail}, failure.status_code, failure.headers)
