"""Norms of a module's weights and gradients, logged every so many steps of its optimizer."""

from collections.abc import Mapping
from importlib import import_module
from logging import getLogger
from types import TracebackType
from typing import Any, Self

from stepwell import extras, fluent
from stepwell.errors import invalid, short

# Parameters that have metrics of their own; a module of more has the two sums alone.
PARAMETERS_MAX = 1_000
GRADIENTS, WEIGHTS = "gradient_norm", "weight_norm"

_log = getLogger("stepwell")


@short
def watch(model: Any, every: int = 100, *, histograms: bool = False, prefix: str = "") -> "Watch":
    """Log norms of a module's gradients and weights each `every`-th step of the optimizer that trains it.

    They are the metrics `gradient_norm` and `weight_norm`, of all parameters together, and `gradient_norm/<parameter>`
    and `weight_norm/<parameter>` of each, at the number of the step, from 1. They are taken just before the step, when
    gradients are summed up and clipped.

    Args:
        model: a torch.nn.Module; parameters that no optimizer steps are not seen.
        every: steps from one point to the next.
        histograms: also log how gradients and weights are distributed, under the same names.
        prefix: what all names begin with, for more than one module in a run.

    Returns:
        The watch; `stop()`, or the end of it as a context manager, ends it.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE; NOT_IMPLEMENTED when PyTorch is not installed.
    """
    torch = extras.library("torch", "Watching a module", "torch")
    if not isinstance(model, torch.nn.Module):
        raise invalid(f"What is watched is a torch.nn.Module, not {type(model).__name__}.")
    if type(every) is not int or every < 1:
        raise invalid(f"every is a whole number of steps above 0, not {every!r}.")
    return Watch(torch, model, every, histograms, prefix)


class Watch:
    """Sees the steps of optimizers, and logs those of one module's."""

    def __init__(self, torch: Any, model: Any, every: int, histograms: bool, prefix: str) -> None:
        self._torch = torch
        self._parameters: Mapping[str, Any] = dict(model.named_parameters())
        self._ids = {id(it) for it in self._parameters.values()}
        self._every, self._histograms, self._prefix = every, histograms, prefix
        self._is_ours: dict[int, bool] = {}
        self.steps = 0
        optimizers = import_module("torch.optim.optimizer")
        self._handle: Any = optimizers.register_optimizer_step_pre_hook(self._before_step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Log no more."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        ours = self._is_ours.get(id(optimizer))
        if ours is None:
            ours = any(id(it) in self._ids for group in optimizer.param_groups for it in group["params"])
            self._is_ours[id(optimizer)] = ours
        if not ours:
            return
        self.steps += 1
        if self.steps % self._every:
            return
        try:
            self._log()
        except Exception as failure:  # noqa: BLE001 - training goes on
            _log.warning(
                "The watch of a module ends: %s: %s. The training is not affected.",
                type(failure).__name__,
                failure,
            )
            self.stop()

    def _log(self) -> None:
        metrics: dict[str, float] = {}
        with self._torch.no_grad():
            gradients = {key: it.grad for key, it in self._parameters.items() if it.grad is not None}
            metrics |= self._norms(GRADIENTS, gradients)
            metrics |= self._norms(WEIGHTS, self._parameters)
            if self._histograms:
                self._log_histograms(GRADIENTS, gradients)
                self._log_histograms(WEIGHTS, self._parameters)
        fluent.log_metrics(metrics, step=self.steps)

    def _norms(self, what: str, tensors: Mapping[str, Any]) -> dict[str, float]:
        """Return norms by name. Numbers come from the device all at once: that is what takes time there."""
        if not tensors:
            return {}
        norms = [self._torch.linalg.vector_norm(it.detach().float()) for it in tensors.values()]
        first = norms[0].device
        stacked = self._torch.stack([it.to(first) for it in norms])
        values = [*stacked.tolist(), float(self._torch.linalg.vector_norm(stacked))]
        name = f"{self._prefix}{what}"
        if len(tensors) > PARAMETERS_MAX:
            return {name: values[-1]}
        return {name: values[-1]} | {
            f"{name}/{key}": value for key, value in zip(tensors, values, strict=False)
        }

    def _log_histograms(self, what: str, tensors: Mapping[str, Any]) -> None:
        from stepwell.fluent_observations import log_histogram

        for key, tensor in tensors.items():
            values = tensor.detach().float().cpu().numpy()
            log_histogram(f"{self._prefix}{what}/{key}", values, self.steps)
