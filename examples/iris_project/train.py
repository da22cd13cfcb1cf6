"""Trains a classifier on the measurements of iris flowers; run it with `stepwell run`."""

import sys

import joblib
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import stepwell


def train(input_file: str, output_file: str) -> None:
    """Search for the best parameters, and keep the best model."""
    with stepwell.start_run():
        stepwell.log_artifact(input_file)
        flowers = pd.read_csv(input_file)
        pipeline = Pipeline([("pca", PCA()), ("logistic", SGDClassifier(loss="log_loss", random_state=42))])
        space = {"pca__n_components": [2, 3], "logistic__alpha": [0.0001, 0.001, 0.01, 0.1]}
        search = GridSearchCV(pipeline, space, cv=3)
        search.fit(flowers.drop(columns="Species"), flowers["Species"])
        stepwell.log_params(search.best_params_)
        stepwell.log_metric("best score", search.best_score_)
        joblib.dump(search.best_estimator_, output_file)
        stepwell.log_artifact(output_file)
        print(f"The best parameters, with a score of {search.best_score_:.3f}: {search.best_params_}")


if __name__ == "__main__":
    train(sys.argv[1], sys.argv[2])
