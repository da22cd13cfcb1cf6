"""What reading gives: numpy columns, which become pandas or pyarrow when asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stepwell import extras
from stepwell.errors import invalid

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
# A column of names that repeat: the distinct names and, for each row, the place of its name.
Names = tuple[Sequence[str], Int64s]

NO_INTEGERS: Int64s = np.empty(0, np.int64)
NO_FLOATS: Float64s = np.empty(0, np.float64)

OUTPUT_FORMATS = ("numpy", "pandas", "pyarrow")


@dataclass(frozen=True, slots=True, eq=False)
class MetricSeries:
    """Points of one metric of one run, in order of (step, timestamp, value), NaN after every number.

    `steps`, `timestamps` (milliseconds since the epoch) and `values` have the shape (n,).
    """

    run_id: str
    key: str
    steps: Int64s
    timestamps: Int64s
    values: Float64s

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, slots=True, eq=False)
class SampledSeries:
    """A sample of one metric of one run: a row for each bucket that holds points, in order of x, columns of shape (n,).

    `minima`, `maxima` and `means` are over the finite values, NaN where there are none. Where a bucket holds one
    point (`counts` is 1), first, last, minimum, maximum and mean are that point.
    """

    run_id: str
    key: str
    first_x: Int64s
    first_values: Float64s
    last_x: Int64s
    last_values: Float64s
    minima: Float64s
    maxima: Float64s
    means: Float64s
    counts: Int64s
    non_finite_counts: Int64s

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class LatestMetrics:
    """One row a metric of a run: the point with the greatest (step, timestamp, value) and the summary of all points.

    `minima`, `maxima` and `means` are over the finite values, NaN where there are none. All columns have shape (n,).
    """

    run_ids: Sequence[str]
    keys: Sequence[str]
    steps: Int64s
    timestamps: Int64s
    values: Float64s
    counts: Int64s
    non_finite_counts: Int64s
    minima: Float64s
    maxima: Float64s
    means: Float64s

    def __len__(self) -> int:
        return len(self.steps)

    def output(self, output_format: str) -> Any:
        """Return this as `output_format` says: itself, a DataFrame or a Table."""
        if check_format(output_format) == "numpy":
            return self
        names = {"run_id": indexed(self.run_ids), "key": indexed(self.keys)}
        columns = {
            "step": self.steps,
            "timestamp": self.timestamps,
            "value": self.values,
            "count": self.counts,
            "non_finite_count": self.non_finite_counts,
            "min": self.minima,
            "max": self.maxima,
            "mean": self.means,
        }
        return table(output_format, names, columns)


def series_output(series: Sequence[MetricSeries], output_format: str) -> Any:
    """Return series as `output_format` says: themselves, or in long form with a row for each point."""
    if check_format(output_format) == "numpy":
        return list(series)
    lengths = [len(one) for one in series]
    names = {
        "run_id": repeated([one.run_id for one in series], lengths),
        "key": repeated([one.key for one in series], lengths),
    }
    columns = {
        "step": np.concatenate([NO_INTEGERS, *(one.steps for one in series)]),
        "timestamp": np.concatenate([NO_INTEGERS, *(one.timestamps for one in series)]),
        "value": np.concatenate([NO_FLOATS, *(one.values for one in series)]),
    }
    return table(output_format, names, columns)


def samples_output(samples: Sequence[SampledSeries], output_format: str) -> Any:
    """Return samples as `output_format` says: themselves, or in long form with a row for each bucket."""
    if check_format(output_format) == "numpy":
        return list(samples)
    lengths = [len(sample) for sample in samples]
    names = {
        "run_id": repeated([sample.run_id for sample in samples], lengths),
        "key": repeated([sample.key for sample in samples], lengths),
    }
    columns = {
        name: np.concatenate([none, *(getattr(sample, attribute) for sample in samples)])
        for name, attribute, none in (
            ("first_x", "first_x", NO_INTEGERS),
            ("first_value", "first_values", NO_FLOATS),
            ("last_x", "last_x", NO_INTEGERS),
            ("last_value", "last_values", NO_FLOATS),
            ("min", "minima", NO_FLOATS),
            ("max", "maxima", NO_FLOATS),
            ("mean", "means", NO_FLOATS),
            ("count", "counts", NO_INTEGERS),
            ("non_finite_count", "non_finite_counts", NO_INTEGERS),
        )
    }
    return table(output_format, names, columns)


def check_format(output_format: str) -> str:
    """Return the format if it is one; StepwellException INVALID_PARAMETER_VALUE otherwise."""
    if output_format not in OUTPUT_FORMATS:
        raise invalid(f"output_format is one of {', '.join(OUTPUT_FORMATS)}, not {output_format!r}.")
    return output_format


def indexed(names: Sequence[str]) -> Names:
    """Return a column of names as distinct names and places."""
    places: dict[str, int] = {}
    rows = np.array([places.setdefault(name, len(places)) for name in names], np.int64)
    return list(places), rows


def repeated(names: Sequence[str], lengths: Sequence[int]) -> Names:
    """Return a column in which each name stands `lengths[i]` times."""
    distinct, places = indexed(names)
    return distinct, np.repeat(places, lengths)


def table(output_format: str, names: Mapping[str, Names], columns: Mapping[str, NDArray[Any]]) -> Any:
    """Return columns as a DataFrame (names are categories) or a Table (names are dictionaries)."""
    return frame(names, columns) if output_format == "pandas" else arrow(names, columns)


def frame(names: Mapping[str, Names], columns: Mapping[str, NDArray[Any]]) -> "pd.DataFrame":
    """Return columns as a pandas DataFrame."""
    pandas = extras.load("pandas", 'output_format="pandas"', "pandas")
    categories = {
        name: pandas.Categorical.from_codes(places, categories=distinct)
        for name, (distinct, places) in names.items()
    }
    made: pd.DataFrame = pandas.DataFrame({**categories, **columns})
    return made


def arrow(names: Mapping[str, Names], columns: Mapping[str, NDArray[Any]]) -> "pa.Table":
    """Return columns as a pyarrow Table."""
    pyarrow = extras.load("pyarrow", 'output_format="pyarrow"', "export")
    dictionaries = {
        name: pyarrow.DictionaryArray.from_arrays(
            pyarrow.array(places, pyarrow.int32()), pyarrow.array(distinct, pyarrow.string())
        )
        for name, (distinct, places) in names.items()
    }
    made: pa.Table = pyarrow.table({**dictionaries, **columns})
    return made
