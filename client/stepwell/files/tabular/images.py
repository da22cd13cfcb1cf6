"""Images in the cells of a table: each becomes an artifact, and the cell refers to it, as in MLflow."""

import io
import uuid
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from stepwell.files import formats

FOLDER = "table_images"


def with_references(table: Any, path: str, log_image: Callable[[Any, str], None]) -> Any:
    """Return a DataFrame whose images are logged, with what refers to them in their place.

    Args:
        table: the DataFrame; it is not changed.
        path: the table's.
        log_image: logs an image of Pillow under a path.
    """

    def reference(value: Any) -> Any:
        image = to_image(value)
        return value if image is None else _logged(image, path, log_image)

    for column in table.columns[table.dtypes.map(str) == "object"]:
        table = table.assign(**{column: [reference(value) for value in table[column]]})
    return table


def to_image(value: Any) -> Any:
    """Return an image of Pillow for a cell that is one; None for everything else.

    Images are those of Pillow, what has to_pil(), figures of matplotlib, and arrays of the shape (h, w, 1), (h, w, 3)
    or (h, w, 4), of bytes also (h, w).
    """
    if callable(getattr(value, "savefig", None)):
        with io.BytesIO() as data:
            value.savefig(data, format="png")
            image = formats.optional("PIL.Image", "Pillow", "a figure in a table").open(data)
            image.load()
        return image
    is_picture = all(hasattr(value, name) for name in ("save", "resize", "size")) or hasattr(value, "to_pil")
    if not (is_picture or is_image_array(value)):
        return None
    try:
        return formats.to_image(value)
    except (TypeError, ValueError):  # numbers that are none of an image: an array like any other
        return None


def is_image_array(value: Any) -> bool:
    """Tell whether something has the shape of an image; see `to_image`."""
    shape: Any = getattr(value, "shape", ())
    if len(shape) == 3:
        return shape[2] in (1, 3, 4) and 0 not in shape
    return len(shape) == 2 and str(getattr(value, "dtype", "")).endswith("uint8") and 0 not in shape


def _logged(image: Any, path: str, log_image: Callable[[Any, str], None]) -> dict[str, str]:
    stem = f"{FOLDER}/{PurePosixPath(path).with_suffix('')}/{uuid.uuid4()}"
    full, small = f"{stem}.png", f"{stem}.webp"
    log_image(image, full)
    log_image(formats.thumbnail(image), small)
    return {"type": "image", "filepath": full, "compressed_filepath": small}
