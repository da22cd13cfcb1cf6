"""Projects: code that others run with one line, as `MLproject` files describe it (docs/projects.md)."""

from stepwell.projects.running import run
from stepwell.projects.submitted import SubmittedRun

__all__ = ["SubmittedRun", "run"]
