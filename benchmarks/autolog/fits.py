"""What autologging adds to fits of scikit-learn: one alone, many in a row, a search of 100 candidates.

The candidates of a search are fitted as quickly as any can be (naive Bayes, 1.5 ms with their scores): what is added to
the whole does not hang on how long they take, and what a busy machine does to seconds of them would hide it.

Part of `benchmarks.autolog`: runs as a script, in a Python that has scikit-learn and the tracker.
"""

import json
import sys
import threading
import warnings
from collections.abc import Callable
from importlib import import_module
from statistics import median
from typing import Any

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from benchmarks.measuring.pairs import Taken, added, in_turns, medians, taken

CANDIDATES = 100
FOLDS = 5
IN_A_ROW = 10
# Of a row, for so many of single fits.
FITS_OF_A_ROW = 3
# Processes of joblib: as many as there are cores. They stay from one search to the next.
ALL_CORES = -1


def measured(tracker: str, rounds: int, *, log_models: bool) -> dict[str, Any]:
    """Fit with and without autologging, in turns; what is logged is waited for between the calls, unmeasured."""
    rows, labels = load_iris(return_X_y=True, as_frame=True)
    grid = {"var_smoothing": [1e-9 * number for number in range(1, CANDIDATES + 1)]}

    def fit() -> None:
        LogisticRegression(max_iter=200).fit(rows, labels)

    def row() -> None:
        for _ in range(IN_A_ROW):
            fit()

    def search(processes: int = 1) -> None:
        GridSearchCV(GaussianNB(), grid, cv=FOLDS, n_jobs=processes).fit(rows, labels)

    module, flavor = import_module(tracker), import_module(f"{tracker}.sklearn")
    settle: Callable[[], object] = getattr(module, "flush", lambda: None)
    count = counted_waits() if tracker == "stepwell" else lambda: None
    aside = taken_aside() if tracker == "stepwell" else []

    turned_on = False

    def compared(call: Callable[[], object], pairs: int, per: int = 1) -> dict[str, object]:
        of_call: list[Taken] = []
        later: list[float] = []

        def noted() -> None:
            before = len(aside)  # there are those of `switch`
            call()
            of_call.extend(aside[before:])

        def settled() -> None:
            of_rest = taken(settle)
            if turned_on:
                later.append(of_rest.process / per)

        found = added(in_turns(noted, pairs, switch, settled), per)
        return {**found, "later_processor_ms": round(median(later), 1), "aside": medians(of_call)}

    def switch(is_on: bool) -> None:
        nonlocal turned_on
        turned_on = is_on
        flavor.autolog(disable=not is_on, log_models=log_models, silent=True)
        fit()  # the interpreter remembers less of classes that have changed
        settle()

    fit()
    module.set_experiment("autolog")
    usual = taken(fit).clock
    switch(True)
    first = taken(fit).clock - usual
    settle()
    before = count()
    alone = compared(fit, rounds)
    # Two fits a pair.
    waits = None if before is None else (count() - before) / (2 * rounds)
    return {
        "first_adds_ms": round(first, 1),
        "alone": {**alone, "waited_for_a_server": waits},
        "in_a_row": compared(row, min(rounds, max(rounds // FITS_OF_A_ROW, 2)), IN_A_ROW),
        "search": compared(search, rounds),
        "search_in_processes": _in_processes(search, lambda call: compared(call, rounds)),
    }


def _in_processes(search: Callable[[int], object], compared: Callable[[Callable[[], object]], Any]) -> Any:
    search(ALL_CORES)  # they begin
    return compared(lambda: search(ALL_CORES))


def taken_aside() -> list[Taken]:
    """Return a list that gets what each logged call takes of its own thread before and behind the fit itself."""
    from stepwell.autologging import calls, guard

    original, found = calls.carried_out, []

    def timing(library: str, plain: Callable[[], Any], *given: Any, **named: Any) -> Any:
        if guard.is_inside():
            return original(library, plain, *given, **named)
        within: list[Taken] = []
        result: list[Any] = []

        def timed() -> None:
            within.append(taken(lambda: result.append(plain())))

        whole = taken(lambda: original(library, timed, *given, **named))
        found.extend(whole.without(each) for each in within)
        return result[0]

    calls.carried_out = timing  # type: ignore[assignment]
    return found


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
