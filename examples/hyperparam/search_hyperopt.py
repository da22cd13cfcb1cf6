"""Searches with hyperopt's tree of Parzen estimators."""

import numpy as np
from hyperopt import fmin, hp, tpe
from trials import Trials, arguments

import stepwell

if __name__ == "__main__":
    given = arguments()
    trials = Trials(given.epochs, given.seed)
    with stepwell.start_run():
        fmin(
            fn=lambda point: trials.run(*point),
            space=[hp.loguniform("lr", np.log(1e-4), np.log(0.1)), hp.uniform("momentum", 0.0, 0.99)],
            algo=tpe.suggest,
            max_evals=given.max_runs,
            rstate=np.random.default_rng(given.seed),
        )
        trials.log_best()
