"""Pictures that autologging draws beside the training, from numbers that it took before.

On figures of their own, with the canvas that knows no screen: pyplot, which most other code draws with, is for one
thread.
"""

import io
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

# A matrix of more classes has no room for its numbers.
CLASSES_WITH_NUMBERS_MAX = 25
# And a picture of importances none for more names.
BARS_MAX = 60


def can_be_drawn() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def drawn(draw: Callable[[Any], None], width_inches: float = 6.4, height_inches: float = 4.8) -> bytes:
    """Return a picture as PNG; `draw` draws it on axes of matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="tight")
    draw(figure.subplots())
    file = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(file)
    return file.getvalue()


def confusion_matrix(shares: Any, names: Sequence[Any]) -> bytes:
    """Draw a matrix of shape (classes, classes): by row, which share of a class was taken for which."""

    def draw(axes: Any) -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="Predicted label", ylabel="True label")
        if len(names) > CLASSES_WITH_NUMBERS_MAX:
            return
        numbers = range(len(names))
        for setter in (axes.set_xticks, axes.set_yticks):
            setter(numbers, [plain(name) for name in names])
        for row in numbers:
            for column in numbers:
                share = float(shares[row][column])
                colour = "white" if share > 0.5 else "black"
                axes.text(column, row, f"{share:.2g}", ha="center", va="center", color=colour)

    return drawn(draw)


def curve(x: Any, y: Any, *, names: tuple[str, str], label: str, is_stepped: bool = False) -> bytes:
    """Draw a curve of shares, both axes from 0 to 1, that goes by a label."""

    def draw(axes: Any) -> None:
        axes.plot(x, y, label=label, drawstyle="steps-post" if is_stepped else "default")
        axes.set(xlabel=names[0], ylabel=names[1], xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.legend(loc="best")

    return drawn(draw)


def bars(names: Sequence[str], values: Any, title: str) -> bytes:
    """Draw importances of features, the largest on top: values of shape (features,) or (features, classes)."""
    import numpy as np

    table = np.asarray(values, dtype=float)
    table = table.reshape(len(names), -1)
    order = np.argsort(np.abs(table).sum(axis=1), kind="stable")[-BARS_MAX:]
    count = table.shape[1]

    def draw(axes: Any) -> None:
        places = np.arange(len(order))
        height = 0.5 / count
        for number in range(count):
            offset = (number - (count - 1) / 2) * height
            axes.barh(places + offset, table[order, number], height=height, label=f"Class {number}")
        axes.set_yticks(places, [plain(names[it]) for it in order])
        axes.set(xlabel="Importance", title=title)
        if count > 1:
            axes.legend()

    return drawn(draw, height_inches=4.8 + 0.1 * max(0, len(order) - 10) + 0.1 * (count - 1))


def plain(name: object) -> str:
    """Return a name that means nothing but itself: between dollars would be a formula."""
    return str(name).replace("$", r"\$")
