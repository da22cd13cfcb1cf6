"""A pickle module as `torch.save` and `torch.load` take one: cloudpickle's writer, Python's reader.

It is what MLflow names `mlflow.pytorch.pickle_module` in its models, and ours say the same. Classes of the script go
into the file by value.
"""

from pickle import Unpickler, UnpicklingError, load, loads

from cloudpickle import CloudPickler as Pickler
from cloudpickle import dump, dumps

__all__ = ["Pickler", "Unpickler", "UnpicklingError", "dump", "dumps", "load", "loads"]
