"""Our exceptions as MLflow's."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2

from stepwell.errors import StepwellException

P = ParamSpec("P")
T = TypeVar("T")


def to_mlflow(failure: StepwellException) -> MlflowException:
    """Return MLflow's exception for ours; both use the same words for what went wrong."""
    return MlflowException(failure.message, error_code=databricks_pb2.ErrorCode.Value(failure.error_code))


def not_kept_yet(what: str, instead: str) -> MlflowException:
    """Return the error for what the server has no place for yet, and what to do `instead`."""
    return MlflowException(
        f"The Stepwell server does not keep {what} yet. {instead}", error_code=databricks_pb2.NOT_IMPLEMENTED
    )


def in_mlflows_words(method: Callable[P, T]) -> Callable[P, T]:
    """Raise MLflow's exceptions instead of ours."""

    @functools.wraps(method)
    def translated(*arguments: P.args, **keywords: P.kwargs) -> T:
        try:
            return method(*arguments, **keywords)
        except StepwellException as failure:
            raise to_mlflow(failure) from failure

    return translated
