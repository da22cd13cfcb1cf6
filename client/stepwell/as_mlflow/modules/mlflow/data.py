"""What scripts import as mlflow.data."""

from stepwell.as_mlflow.standing_in import stand_in
from stepwell.data import Dataset

# Whatever the data is.
PandasDataset = NumpyDataset = Dataset

stand_in(globals(), "stepwell.data")
