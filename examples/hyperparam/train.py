"""Trains a small network on the diabetes data that scikit-learn ships, and logs how it does after each epoch."""

import argparse

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import scale

import stepwell


def evaluate(prefix: str, actual: np.ndarray, predicted: np.ndarray, epoch: int) -> float:
    """Log the error of one part of the data."""
    rmse = float(np.sqrt(mean_squared_error(actual, predicted)))
    stepwell.log_metric(f"{prefix}_rmse", rmse, step=epoch)
    return rmse


def train(learning_rate: float, momentum: float, epochs: int, seed: int) -> None:
    """Train, and log the parameters and the errors of all epochs."""
    x, y = load_diabetes(return_X_y=True)
    rest_x, test_x, rest_y, test_y = train_test_split(scale(x), scale(y), test_size=0.2, random_state=seed)
    train_x, val_x, train_y, val_y = train_test_split(rest_x, rest_y, test_size=0.25, random_state=seed)
    model = MLPRegressor(
        hidden_layer_sizes=(16,),
        solver="sgd",
        learning_rate_init=learning_rate,
        momentum=momentum,
        random_state=seed,
    )
    with stepwell.start_run():
        stepwell.log_params({"lr": learning_rate, "momentum": momentum})
        for epoch in range(epochs):
            model.partial_fit(train_x, train_y)
            evaluate("train", train_y, model.predict(train_x), epoch)
            val_rmse = evaluate("val", val_y, model.predict(val_x), epoch)
            evaluate("test", test_y, model.predict(test_x), epoch)
        print(f"lr {learning_rate:.4g}, momentum {momentum:.4g}: val_rmse {val_rmse:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--momentum", type=float, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    train(arguments.learning_rate, arguments.momentum, arguments.epochs, arguments.seed)
