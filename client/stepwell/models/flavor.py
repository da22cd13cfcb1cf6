"""What a flavor is: how one library's models are written, loaded, and wrapped for `predict`.

A further flavor is one file in `flavors/`, with a class like this and save_model, log_model and load_model, which hand
over to `saving`, `logged` and `loading`; and a line in `flavors/__init__.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from stepwell.models.mlmodel import Model


@dataclass(frozen=True, slots=True)
class Written:
    """What a flavor wrote: its own entry in MLmodel, and what it adds to that of python_function.

    `config` comes without `code`, `pyfunc` without loader_module, env, code and python_version: those are added. With
    `config` None the model has no entry of the flavor's own.
    """

    config: dict[str, Any] | None
    pyfunc: dict[str, Any] = field(default_factory=dict)


class Flavor(ABC):
    """One model of a library, about to be saved; as a class, how such models are loaded."""

    # By which MLmodel knows it.
    name: ClassVar[str]
    # MLflow's module that loads it, so that MLflow does.
    loader_module: ClassVar[str]
    # What it needs in any case, by distribution.
    distributions: ClassVar[Sequence[str]] = ()
    # Whether it makes no sense without a signature.
    needs_signature: bool = False

    @abstractmethod
    def write(self, folder: Path) -> Written:
        """Write the model's files into an empty folder, which is not yet where it will be."""

    @abstractmethod
    def wrapped(self) -> Any:
        """Return the model in memory as `load_wrapped` would, to ask it for the output of an example."""

    def parts(self) -> Sequence[Any]:
        """Return the objects whose classes say what must be installed; the model, mostly."""
        return ()

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, config: Mapping[str, Any], **options: Any) -> Any:
        """Return the library's own object.

        Args:
            folder: of the model, checked: it has no links that lead out of it.
            config: the flavor's entry in MLmodel. Paths in it go through `inside.named` or `inside.path_inside`.
            options: keywords of the flavor's load_model.
        """

    @classmethod
    @abstractmethod
    def load_wrapped(cls, folder: Path, model: "Model", model_config: Mapping[str, Any]) -> Any:
        """Return an object with predict(data, params=None), and get_raw_model() where there is one.

        Args:
            folder: of the model.
            model: its description; `model.flavor("python_function")` and `model.flavor(cls.name)` are the entries.
            model_config: `config` of python_function, with what the caller of pyfunc.load_model changed.
        """
