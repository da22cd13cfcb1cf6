"""Projects: code that others run with one line, as `MLproject` files describe it (docs/projects.md)."""

from stepwell.projects.running import run
from stepwell.projects.submitted import ExecutionException, SubmittedRun
from stepwell.projects.sweeping import sweep

__all__ = ["ExecutionException", "SubmittedRun", "run", "sweep"]
