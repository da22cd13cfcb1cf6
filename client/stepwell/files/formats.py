"""Objects to files: text, dicts, figures, images, tables, with MLflow's formats, names and refusals.

What is needed for a format (pandas, Pillow, PyYAML, the plotting library) is imported when it is asked for.
"""

import importlib
import json
import re
import string
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.errors import StepwellException, invalid

if TYPE_CHECKING:
    import numpy as np

IMAGE_KEY_CHARS = re.compile(r"[a-zA-Z0-9_\-./ ]+")
# The longer side of the small copy that pages of many images show.
THUMBNAIL_PIXELS_MAX = 256
_PLOTLY_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".svg", ".pdf")


def optional(module: str, package: str, what: str) -> Any:
    """Import a module that only some functions need.

    Raises:
        StepwellException: INVALID_STATE when it is missing; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise StepwellException(
            f"{what} needs {package}, which is not installed: pip install {package.lower()}", "INVALID_STATE"
        ) from missing


def dict_bytes(dictionary: Any, path: str) -> bytes:
    """Return a dict as YAML when the path ends in .yaml or .yml, else as JSON; what JSON cannot say becomes text."""
    if Path(path).suffix in (".yaml", ".yml"):
        yaml = optional("yaml", "PyYAML", "log_dict to a YAML file")
        text: str = yaml.dump(dictionary, indent=2, default_flow_style=False)
        return text.encode()
    return json.dumps(dictionary, indent=2, default=str).encode()


def parsed_dict(text: str, name: str) -> Any:
    """Return what a JSON or YAML file says.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is neither.
    """
    try:
        return json.loads(text)
    except ValueError:
        pass
    yaml = optional("yaml", "PyYAML", "load_dict of what is no JSON")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise invalid(f"{name} is neither JSON nor YAML: {error}") from error


def save_figure(figure: Any, file: Path, save_kwargs: Mapping[str, Any] | None) -> None:
    """Save a figure of matplotlib or plotly.

    Raises:
        TypeError: it is none, or plotly cannot write such a file; as in MLflow.
    """
    kind = type(figure).__module__.partition(".")[0]
    arguments = dict(save_kwargs or {})
    if hasattr(figure, "savefig"):
        figure.savefig(file, **arguments)
    elif kind == "plotly" or hasattr(figure, "write_html"):
        if file.suffix == ".html":
            figure.write_html(file, **{"include_plotlyjs": "cdn", "auto_open": False, **arguments})
        elif file.suffix in _PLOTLY_IMAGE_SUFFIXES:
            figure.write_image(file, **arguments)
        else:
            raise TypeError(f"Unsupported file extension for plotly figure: '{file.suffix}'")
    else:
        raise TypeError(f"Unsupported figure object type: '{type(figure)}'")


def to_image(image: Any, purpose: str = "log_image") -> Any:
    """Return an image of Pillow for one of Pillow, an array, a tensor, or what has to_pil().

    Arrays have the shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4); whole numbers from 0 to 255, floats from 0 to 1,
    or booleans. `purpose` needs it, where Pillow is missing.

    Raises:
        TypeError: it is none of them. ValueError: its shape or its numbers are none of an image.
    """
    pillow = optional("PIL.Image", "Pillow", purpose)
    if isinstance(image, pillow.Image):
        return image
    if hasattr(image, "to_pil"):
        return image.to_pil()
    if hasattr(image, "detach"):  # PyTorch
        image = image.detach().cpu()
    if hasattr(image, "numpy"):
        image = image.numpy()
    if not hasattr(image, "dtype") or not hasattr(image, "ndim"):
        raise TypeError(f"Unsupported image object type: '{type(image)}'")
    return pillow.fromarray(_to_bytes(image))


def _to_bytes(array: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    import numpy as np

    if array.dtype.kind not in "biuf":
        raise TypeError(f"Invalid array data type {array.dtype}: use whole numbers, floats or booleans")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"An image has the shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), not {array.shape}"
        )
    array = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * 255
    highest = 1 if array.dtype.kind == "f" else 255
    # Written so that NaN does not pass.
    if array.size and not (array.min() >= 0 and array.max() <= highest):
        kind = "Float" if highest == 1 else "Integer"
        raise ValueError(f"{kind} pixel values out of acceptable range [0, {highest}]")
    return (array * 255).astype(np.uint8) if highest == 1 else array.astype(np.uint8)


def image_paths(key: str, step: int, timestamp_ms: int) -> tuple[str, str]:
    """Return MLflow's paths for an image of a series: of the full one, and of its small copy.

    Raises:
        ValueError: the key has other characters than letters, digits, `_`, `-`, `.`, `/` and spaces.
    """
    stem = series_stem("images", key, step, timestamp_ms)
    return f"{stem}.png", f"{stem}%compressed.webp"


def series_stem(folder: str, key: str, step: int, timestamp_ms: int) -> str:
    """Return the path of a file of a series without its suffix, as MLflow names images. Raises as `image_paths`."""
    if not IMAGE_KEY_CHARS.fullmatch(key):
        raise ValueError(
            "The `key` parameter may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), "
            "and slashes (/)."
        )
    identity = uuid.uuid4()
    # Not a hexadecimal digit at first: pages take "%64..." for an escape.
    unique = string.ascii_lowercase[6 + identity.int % 20] + str(identity)[1:]
    return f"{folder}/{key.replace('/', '#')}%step%{step}%timestamp%{timestamp_ms}%{unique}"


def thumbnail(image: Any) -> Any:
    """Return a small copy of an image of Pillow."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_PIXELS_MAX, THUMBNAIL_PIXELS_MAX))
    return small
