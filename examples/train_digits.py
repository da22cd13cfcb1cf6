"""Trains a classifier on scikit-learn's digits and logs every batch: one nested run for each learning rate.

Start a server with `make serve`, then: .venv/bin/python examples/train_digits.py
At the end it reads the histories back and compares them with what was logged.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import stepwell

LEARNING_RATES = (0.0003, 0.003, 0.03)
EPOCHS = 5
BATCH_SIZE = 32
CLASSES = np.arange(10)


def train(learning_rate: float, data: list[np.ndarray]) -> dict[str, list[tuple[int, float]]]:
    """Train one model, log it to the active run, and return what was logged: (step, value) by metric."""
    train_images, test_images, train_labels, test_labels = data
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=learning_rate, random_state=0)
    order = np.random.default_rng(0)
    logged: dict[str, list[tuple[int, float]]] = {"loss": [], "accuracy": [], "test_accuracy": []}

    def log(key: str, value: float, step: int) -> None:
        stepwell.log_metric(key, value, step=step)
        logged[key].append((step, float(value)))

    step = 0
    for epoch in range(EPOCHS):
        for batch in np.array_split(order.permutation(len(train_images)), len(train_images) // BATCH_SIZE):
            model.partial_fit(train_images[batch], train_labels[batch], classes=CLASSES)
            predicted = model.predict_proba(train_images[batch])
            log("loss", log_loss(train_labels[batch], predicted, labels=CLASSES), step)
            log("accuracy", model.score(train_images[batch], train_labels[batch]), step)
            step += 1
        log("test_accuracy", model.score(test_images, test_labels), epoch)
    return logged


def check(run_id: str, logged: dict[str, list[tuple[int, float]]]) -> int:
    """Read the histories back; returns the number of points, all of them equal to what was logged."""
    for key, points in logged.items():
        history = stepwell.get_metric_history(run_id, key)
        found = sorted((metric.step, metric.value) for metric in history)
        if found != sorted(points):
            raise SystemExit(
                f"{key} of run {run_id}: {len(found)} points came back, {len(points)} were logged"
            )
    return sum(map(len, logged.values()))


def main() -> None:
    """Train, log, read back."""
    images, labels = load_digits(return_X_y=True)
    data = train_test_split(images / 16.0, labels, test_size=0.25, random_state=0)
    stepwell.set_experiment("digits")
    logged = {}
    with stepwell.start_run(run_name="learning rates") as parent:
        stepwell.log_params({"epochs": EPOCHS, "batch_size": BATCH_SIZE, "model": "SGDClassifier"})
        for learning_rate in LEARNING_RATES:
            with stepwell.start_run(run_name=f"lr={learning_rate}", nested=True) as run:
                stepwell.log_param("learning_rate", learning_rate)
                logged[run.info.run_id] = train(learning_rate, data)
        best = max(logged.values(), key=lambda metrics: metrics["test_accuracy"][-1][1])
        stepwell.log_metric("best_test_accuracy", best["test_accuracy"][-1][1])
    points = sum(check(run_id, metrics) for run_id, metrics in logged.items())
    accuracy = stepwell.get_run(parent.info.run_id).data.metrics["best_test_accuracy"]
    print(f"{points:,} points of {len(logged)} nested runs came back as they were logged.")
    print(f"Best accuracy on unseen digits: {accuracy:.1%}. Parent run: {parent.info.run_id}")


if __name__ == "__main__":
    main()
