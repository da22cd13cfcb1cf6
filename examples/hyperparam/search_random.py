"""Searches by chance."""

import random

from trials import Trials, arguments

import stepwell

if __name__ == "__main__":
    given = arguments()
    chance = random.Random(given.seed)  # noqa: S311 - no secret
    trials = Trials(given.epochs, given.seed)
    with stepwell.start_run():
        for _ in range(given.max_runs):
            trials.run(10 ** chance.uniform(-4, -1), chance.uniform(0.0, 0.99))
        trials.log_best()
