"""One logged call: the run that it logs to, what is left for later, and how a fault of ours stays a warning."""

import io
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from logging import getLogger
from time import time_ns
from typing import Any, Protocol, TypeVar

from stepwell import beside
from stepwell.autologging import chance, guard, options
from stepwell.autologging.options import Options
from stepwell.client import StepwellClient
from stepwell.delivery import record
from stepwell.delivery.kept import POINTS_OF_A_STEP_MAX, Measured
from stepwell.delivery.record import now_ms
from stepwell.delivery.writer import RunWriter, writer_for
from stepwell.entities import DatasetInput, Metric
from stepwell.errors import StepwellException
from stepwell.logged_models import active as active_models
from stepwell.models import logged
from stepwell.models.flavor import Flavor
from stepwell.runs import active
from stepwell.runs.active import ActiveRun
from stepwell.spool import room
from stepwell.spool.log import SealedError, Spool
from stepwell.values import check_key

AUTOLOGGING_TAG = "mlflow.autologging"
KEY_CHARS_MAX = 250
MODEL_NAME = "model"
# Of one call; a fault of each step would fill the screen.
FAULTS_TOLD_MAX = 10

Result = TypeVar("Result")

_log = getLogger("stepwell")


class OnADevice(Protocol):
    """Numbers that would have to be waited for, such as a tensor of a GPU."""

    def tolist(self) -> list[float]:
        """Wait for them."""
        ...


class LoggedCall:
    """A run for one call: the active one, which stays as it is, or one that begins and ends with it.

    `later` is for what takes long; it is done beside the training, when the call has ended. A run of the call's own
    is not active any more then, and ends behind that.
    """

    def __init__(self, library: str, options: Options) -> None:
        found = active.active_run()
        run = found or active.start_soon({AUTOLOGGING_TAG: library, **(options.extra_tags or {})})
        self._begin(library, options, run.writer, run, is_own=found is None)

    def _begin(
        self, library: str, options: Options, writer: RunWriter, run: ActiveRun | None, *, is_own: bool
    ) -> None:
        self.library = library
        self.options = options
        self.writer = writer
        # None in another process than that of the call.
        self.run = run
        self.is_own = is_own
        self.client = StepwellClient(writer.uri)
        self.has_failed = False
        # Data that was noted as trained on, for runs that are made of parts of this one.
        self.trained_on: list[DatasetInput] = []
        self._told: set[str] = set()
        self._later: list[Callable[[], object]] = []
        self._later_bytes = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process of the training, where the call may log, and never ends."""
        return _joined, (self.library, self.options, self.writer.uri, self.run_id)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.writer.run_id

    def attempt(self, work: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Do something, and return what it returns; None when it fails, as in a full spool, which is told once."""
        try:
            with room.waited_for(0):
                return work(*arguments, **keywords)
        except Exception as failure:  # noqa: BLE001 - whatever it is, training goes on
            self.has_failed = True
            if not self.options.silent:
                self._tell_once(failure)
            return None

    def _tell_once(self, failure: Exception) -> None:
        said = _said(failure)
        if said in self._told or len(self._told) == FAULTS_TOLD_MAX:
            return
        self._told.add(said)
        tell(self.library, failure)
        if len(self._told) == FAULTS_TOLD_MAX:
            _log.warning("What else is not logged of this call, is not told any more.")

    def later(self, work: Callable[..., Any], *arguments: Any, size_bytes: int = 0) -> None:
        """Attempt something when the call has ended. The arguments, of so many bytes, are not to change until then."""
        self._later.append(lambda: self.attempt(work, *arguments))
        self._later_bytes += size_bytes

    def log_params(self, params: Mapping[Any, Any]) -> None:
        """Log params of a library as text; names that are too long are cut."""
        texts = {str(key)[:KEY_CHARS_MAX]: str(value) for key, value in params.items()}
        try:
            record.log_params(self.writer, texts)
        except StepwellException as failure:
            # One of them is not as it must be, or was logged otherwise: the others are.
            for key, value in texts.items():
                with suppress(StepwellException):
                    record.log_params(self.writer, {key: value})
            raise failure

    def log_metrics(self, metrics: Mapping[str, Any], step: int = 0, model_id: str | None = None) -> None:
        """Log one point of each metric, also as what a model is like."""
        record.log_metrics(self.writer, metrics, step, measured=record.measured(model_id, None, None))

    def log_step(self, metrics: Mapping[str, Any], step: int) -> None:
        """Log what a library measured at a step; what is no number is told, and left out. Never fails.

        Short, because between two steps of a training nothing of it stays in the caches of the processor: names and
        numbers are looked at when the step is written. So values are not to change any more.
        """
        if (kept := self.writer.kept) is not None:
            kept.append(self._write, metrics, step)
        else:
            self.attempt(self._log_step, metrics, step)

    def log_waiting_step(self, names: tuple[str, ...], values: OnADevice, step: int) -> None:
        """Log what a device has measured, or is about to: the training does not wait for it."""

        def fetch() -> dict[str, float]:
            return dict(zip(names, values.tolist(), strict=True))

        kept = self.writer.kept
        if kept is not None and len(names) <= POINTS_OF_A_STEP_MAX:
            kept.keep(self._write, fetch, step, time_ns())
        else:
            self.log_step(fetch(), step)

    def _log_step(self, metrics: Mapping[str, Any], step: int) -> None:
        self.log_metrics(self.numbers(metrics), step=step)

    def _write(self, *step: Any) -> int | None:
        """As `Kept` wants it."""
        points: int | None = self.attempt(self._write_step, *step)
        return points

    def _write_step(self, spool: Spool, measured: Measured, step: int, at_ns: int) -> int:
        metrics = measured() if callable(measured) else measured
        try:
            values = [*map(float, metrics.values())]
        except Exception:  # noqa: BLE001 - whatever a value of others is
            metrics = self.numbers(metrics)
            values = [*metrics.values()]
        names = tuple(metrics)
        numbers = spool.groups.get(names)
        try:
            if numbers is None:
                numbers = tuple(spool.number_of(check_key("Metric", name)) for name in names)
                spool.remember_group(names)
        except SealedError:  # the next log takes it
            self._log_step(metrics, step)
            return 0
        spool.append_points(numbers, step, at_ns, values)
        return len(values)

    def write_steps(self) -> None:
        """Write what is kept of steps, because no more of them come for a while."""
        if (kept := self.writer.kept) is not None:
            kept.write()

    def numbers(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        """Return metrics as numbers; one that is none is told, and left out."""
        try:
            return {key: float(value) for key, value in metrics.items()}
        except Exception:  # noqa: BLE001 - whatever a value of others is
            found = {key: self.attempt(_number, key, value) for key, value in metrics.items()}
            return {key: value for key, value in found.items() if value is not None}

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags of the run."""
        record.set_tags(self.writer, tags)

    def note_model_metrics(self, model_id: str | None, metrics: Mapping[str, Any], step: int) -> None:
        """Note that metrics, which are logged already, say something of a model."""
        if model_id is not None and metrics:
            at_ms = now_ms()
            self.writer.log_model_points(
                Metric(key, float(value), at_ms, step, model_id=model_id) for key, value in metrics.items()
            )

    def log_bytes(self, content: bytes, path: str) -> None:
        """Log a file, and wait until it is there: for what is done later."""
        self.client.log_stream(self.run_id, io.BytesIO(content), path)

    def log_model(
        self,
        flavor: Flavor,
        *,
        example: Any = None,
        predict: Callable[[Any], Any] | None = None,
        **given: Any,
    ) -> str | None:
        """Log a model as it is now, later; its signature is that of the example and what `predict` makes of it.

        Returns:
            The model's id, which metrics may name that are logged later than this.
        """
        if not self.options.log_model_signatures:
            given["signature"] = False
        elif example is not None and predict is not None and "signature" not in given:
            given["signature"] = self.attempt(_signature, example, predict)
        if example is not None and self.options.log_input_examples:
            given["input_example"] = example
        name = given.pop("name", MODEL_NAME)
        if name == MODEL_NAME:
            given["registered_model_name"] = self.options.registered_model_name
        prepared = logged.prepare(flavor, name, {"run_id": self.run_id, **given})
        self.later(prepared.send)
        model_id = prepared.model.model_id
        if model_id is not None:
            active_models.note_last_id(model_id)
        return model_id

    def end(self, status: str = "FINISHED") -> None:
        """End the call, and when the rest is done its own run, if it has one: FAILED also after a fault of ours."""
        ended_ms = now_ms()
        self.write_steps()

        def finish() -> None:
            self.writer.hurry()
            for work in self._later:
                beside.give_way()
                work()
            if self.is_own and self.run is not None:
                own_status = "FAILED" if self.has_failed else status
                self.attempt(active.end_later, self.run, own_status, ended_ms)

        try:
            if self.is_own or self._later:
                beside.leave(self.run_id, finish, self._later_bytes)
        finally:
            if self.is_own and self.run is not None:
                active.set_aside(self.run)


def carried_out(
    library: str,
    plain: Callable[[], Result],
    before: Callable[[LoggedCall], Callable[[], Result] | None],
    after: Callable[[LoggedCall, Result], object],
    *,
    may_draw: bool = True,
) -> Result:
    """Make a call of a library and log it; result and errors are those of the call itself.

    Args:
        library: whose call it is; nothing is logged while it is off, nor within a call that is logged already.
        plain: makes the call.
        before: logs what is known beforehand; may return another way to make the call, such as with a callback of ours.
        after: logs what came of it.
        may_draw: whether `after` may leave the generators of random numbers other than they were, unless it is kept
            from it, which takes 0.2 ms.
    """
    chosen = options.chosen(library)
    if chosen is None or guard.is_inside():
        return plain()
    with guard.inside(), beside.training():
        call = begin(library, chosen)
        if call is None:
            return plain()
        try:
            other = call.attempt(before, call)
            result: Result = (other or plain)()
            with chance.untouched() if may_draw else nullcontext():
                call.attempt(after, call, result)
        except BaseException:
            # Also Ctrl-C while something is logged: the run must not stay the active one.
            call.attempt(call.end, "FAILED")
            raise
        call.attempt(call.end)
        return result


def begin(library: str, chosen: Options) -> LoggedCall | None:
    """Return the call's run; None when nothing is to be logged, or no run can be had, which is told."""
    if chosen.exclusive and active.active_run() is not None:
        return None
    try:
        with room.waited_for(0):
            return LoggedCall(library, chosen)
    except Exception as failure:  # noqa: BLE001 - as above
        if not chosen.silent:
            tell(library, failure)
        return None


def _joined(library: str, chosen: Options, uri: str, run_id: str) -> LoggedCall:
    call = LoggedCall.__new__(LoggedCall)
    call._begin(library, chosen, writer_for(uri, run_id), None, is_own=False)
    return call


def tell(library: str, failure: Exception) -> None:
    """Say that something was not logged."""
    _log.warning(
        "Encountered unexpected error during %s autologging: %s. The training is not affected.",
        library,
        _said(failure).removesuffix("."),
    )


def _said(failure: Exception) -> str:
    try:
        return f"{type(failure).__name__}: {failure}"
    except Exception:  # noqa: BLE001 - it cannot even say what it is
        return type(failure).__name__


def _number(key: str, value: Any) -> float:
    try:
        return float(value)
    except Exception:  # noqa: BLE001 - as above
        raise ValueError(f"the metric {key!r} is no number, but a {type(value).__name__}") from None


def _signature(example: Any, predict: Callable[[Any], Any]) -> Any:
    from stepwell.models.signature import infer_signature

    return infer_signature(example, predict(example))
