"""Autologging of TensorFlow: Keras's `Model.fit`, by the names that MLflow's flavor of TensorFlow has."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from stepwell import extras
from stepwell.autologging import imports, options
from stepwell.autologging.checkpoints import CheckpointOptions
from stepwell.autologging.keras import FitOptions, fitting
from stepwell.errors import short
from stepwell.models.flavors.tensorflow import TensorFlow

LIBRARY = "tensorflow"


@dataclass(frozen=True)
class TensorFlowOptions(FitOptions, CheckpointOptions):
    """Beside those of Keras: see `autolog`."""

    saved_model_kwargs: dict[str, Any] | None = None
    keras_model_kwargs: dict[str, Any] | None = None


@short
def autolog(
    *,
    disable: bool = False,
    disable_for_unsupported_versions: bool = False,
    **keywords: Any,
) -> None:
    """Log every `fit` of tf.keras: as `keras.autolog`, and early stops, checkpoints, TensorBoard's files.

    Args:
        disable: turn it off again; `fit` is what it was.
        disable_for_unsupported_versions: taken for MLflow's sake.
        keywords: those of `Options`, log_every_epoch, log_every_n_steps, every_n_iter, saved_model_kwargs,
            keras_model_kwargs, checkpoint (whether to log them), checkpoint_monitor, checkpoint_mode ("min" or
            "max"), checkpoint_save_best_only, checkpoint_save_weights_only, checkpoint_save_freq ("epoch" or a
            number of steps).

    Raises:
        StepwellException: NOT_IMPLEMENTED when TensorFlow is not installed; INVALID_PARAMETER_VALUE.
    """
    chosen = TensorFlowOptions.of(keywords)
    if not disable:
        extras.library("tensorflow", "Autologging of TensorFlow", "tensorflow")
    imports.forget(LIBRARY)
    fitting.leave(LIBRARY)
    options.forget(LIBRARY)
    if disable:
        return
    options.choose(LIBRARY, chosen)

    def flavor(model: Any, signature: Any) -> TensorFlow:
        return TensorFlow(model, None, chosen.keras_model_kwargs, chosen.saved_model_kwargs)

    made = fitting.Follower(LIBRARY, "opt_", flavor, is_tensorflow=True)
    # TensorFlow imports Keras when somebody asks for it.
    imports.when_imported("keras", LIBRARY, partial(fitting.follow, made))
