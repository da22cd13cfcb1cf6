"""What the searches share: one trial is a run inside of theirs, which the entry point `train` goes on with."""

import argparse

import stepwell


class Trials:
    """Runs trials and remembers the best one."""

    def __init__(self, epochs: int, seed: int) -> None:
        self._epochs = epochs
        self._seed = seed
        self._best: tuple[float, str] | None = None

    def run(self, learning_rate: float, momentum: float) -> float:
        """Train once and return the error on the validation data."""
        with stepwell.start_run(nested=True) as trial:
            parameters = {"learning_rate": learning_rate, "momentum": momentum, "epochs": self._epochs}
            stepwell.projects.run(
                ".",
                "train",
                parameters={**parameters, "seed": self._seed},
                run_id=trial.info.run_id,
                env_manager="local",  # the search runs in the project's environment already
            )
        val_rmse = stepwell.get_run(trial.info.run_id).data.metrics["val_rmse"]
        if self._best is None or val_rmse < self._best[0]:
            self._best = (val_rmse, trial.info.run_id)
        return val_rmse

    def log_best(self) -> None:
        """Write the best trial to the run of the search."""
        if self._best is not None:
            val_rmse, run_id = self._best
            stepwell.log_metric("best_val_rmse", val_rmse)
            stepwell.set_tag("best_run", run_id)
            print(f"best: run {run_id} with val_rmse {val_rmse:.4f}")


def arguments() -> argparse.Namespace:
    """Return what the search was given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-runs", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args()
