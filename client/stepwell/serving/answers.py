"""What a model gives, as JSON: arrays as lists, data frames as lists of rows, times in ISO, bytes in base64."""

from typing import Any

from stepwell.models import json_values
from stepwell.models.examples import is_frame


def predictions(found: Any) -> str:
    """Return the body of an answer. TypeError for what JSON cannot say."""
    return json_values.dumps({"predictions": _plain(found)})


def whole(found: Any) -> str:
    """Return the body of an answer that goes as it is, without "predictions"."""
    return json_values.dumps(_plain(found))


def _plain(found: Any) -> Any:
    if is_frame(found):
        return found.to_dict(orient="records")
    if hasattr(found, "to_frame") and hasattr(found, "index"):
        name = "0" if found.name is None else found.name
        return [{name: it} for it in found.tolist()]
    if hasattr(found, "toarray"):
        return found.toarray().tolist()
    if hasattr(found, "detach"):
        return found.detach().cpu().numpy().tolist()
    if getattr(getattr(found, "dtype", None), "kind", "") in "biufc" and hasattr(found, "tolist"):
        return found.tolist()
    if isinstance(found, dict):
        return {str(key): _plain(it) for key, it in found.items()}
    return found
