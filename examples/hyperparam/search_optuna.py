"""Searches with Optuna."""

import optuna
from trials import Trials, arguments

import stepwell

if __name__ == "__main__":
    given = arguments()
    trials = Trials(given.epochs, given.seed)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=given.seed))
    with stepwell.start_run():
        study.optimize(
            lambda trial: trials.run(
                trial.suggest_float("lr", 1e-4, 0.1, log=True), trial.suggest_float("momentum", 0.0, 0.99)
            ),
            n_trials=given.max_runs,
        )
        trials.log_best()
