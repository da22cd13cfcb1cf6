"""The first rows that a module is given in a training, and what it makes of them: for the model's signature."""

from typing import Any

from stepwell.autologging import calls

LIBRARY = "pytorch"
ROWS = 5


class FirstBatch:
    """Takes the first rows of the first batch, where a module takes one tensor and gives one; arrays, in `found`.

    It goes along to other processes of a training with the module, and takes nothing there.
    """

    def __init__(self) -> None:
        self.found: list[Any] = []
        self._hook: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Be another one, that follows nothing."""
        return FirstBatch, ()

    def follow(self, module: Any) -> None:
        """Wait for the module's first batch."""
        self._hook = module.register_forward_hook(self)

    def leave(self) -> None:
        """Wait no more."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def __call__(self, module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Take what the module was given, and returns.

        In a job of many processes Lightning also calls `training_step` as the module, whose output is the loss.
        """
        if self._hook is None:
            return
        self.leave()
        try:
            if len(inputs) == 1 and all(getattr(it, "ndim", 0) for it in (*inputs, output)):
                self.found = [it[:ROWS].detach().cpu().clone().numpy() for it in (inputs[0], output)]
        except Exception as failure:  # noqa: BLE001 - there is no signature then
            calls.tell(LIBRARY, failure)
