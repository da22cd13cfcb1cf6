"""The types of columns."""

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]


Float64s = NDArray[np.float64]
