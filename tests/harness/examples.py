"""Scripts of examples/, run as `python` runs them, in this process, which has their libraries loaded already."""

import runpy
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import stepwell
from stepwell import StepwellClient
from tests.harness.environments import ROOT


@contextmanager
def ran(script: str, experiment: str, *models: str) -> Iterator[str]:
    """Yield the id of the experiment that a script logs to; afterwards its names are free for others again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script])
        try:
            runpy.run_path(str(ROOT / "examples" / script), run_name="__main__")
            yield stepwell.get_experiment_by_name(experiment).experiment_id
        finally:
            stepwell.autolog(disable=True)
            client = StepwellClient()
            for model in models:
                client.delete_registered_model(model)
            found = client.get_experiment_by_name(experiment)
            client.rename_experiment(found.experiment_id, f"{experiment} {uuid.uuid4().hex}")
