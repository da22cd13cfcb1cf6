"""What autologging adds to fits of scikit-learn: one alone, many in a row, a search of 100 candidates.

Part of `benchmarks.autolog`: runs as a script, in a Python that has scikit-learn and the tracker.
"""

import json
import sys
import threading
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from benchmarks.pairs import added, in_turns, taken

CANDIDATES = 100
FOLDS = 5
IN_A_ROW = 10
# Of a search or a row, for so many of single fits.
FITS_OF_A_SEARCH = 3


def measured(tracker: str, rounds: int, *, log_models: bool) -> dict[str, Any]:
    """Fit with and without autologging, in turns; what is logged is waited for between the calls, unmeasured."""
    rows, labels = load_iris(return_X_y=True, as_frame=True)
    grid = {"C": [0.01 * number for number in range(1, CANDIDATES + 1)]}

    def fit() -> None:
        LogisticRegression(max_iter=200).fit(rows, labels)

    def row() -> None:
        for _ in range(IN_A_ROW):
            fit()

    def search() -> None:
        GridSearchCV(LogisticRegression(max_iter=200), grid, cv=FOLDS).fit(rows, labels)

    module, flavor = import_module(tracker), import_module(f"{tracker}.sklearn")
    settle: Callable[[], object] = getattr(module, "flush", lambda: None)
    count = counted_waits() if tracker == "stepwell" else lambda: None

    def switch(is_on: bool) -> None:
        flavor.autolog(disable=not is_on, log_models=log_models, silent=True)
        fit()  # the interpreter remembers less of classes that have changed
        settle()

    fit()
    module.set_experiment("autolog")
    usual = taken(fit).clock
    switch(True)
    first = taken(fit).clock - usual
    settle()
    few = max(rounds // FITS_OF_A_SEARCH, 2)
    before = count()
    alone = in_turns(fit, rounds, switch, settle)
    # Two fits a pair.
    waits = None if before is None else (count() - before) / (2 * rounds)
    return {
        "first_adds_ms": round(first, 1),
        "alone": {**added(alone), "waited_for_a_server": waits},
        "in_a_row": added(in_turns(row, few, switch, settle), IN_A_ROW),
        "search": added(in_turns(search, few, switch, settle)),
    }


def counted_waits() -> Callable[[], Any]:
    """Return what says how often this thread has waited for the server."""
    from stepwell.wire import background

    run, waits = background.run, 0

    def counting(*arguments: Any) -> Any:
        nonlocal waits
        waits += threading.current_thread() is threading.main_thread()
        return run(*arguments)

    background.run = counting  # type: ignore[assignment]
    return lambda: waits


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(measured(sys.argv[1], int(sys.argv[2]), log_models=sys.argv[3] == "True")))
