"""Looks for the best model of diabetes with scikit-learn, registers it, and predicts with what the registry has.

Start a server with `make serve`, then:

    .venv/bin/pip install -e '.[models]' scikit-learn
    .venv/bin/python examples/search_and_register.py

What is trained logs itself: params, metrics, the data set, the model with its signature, the best candidates of each
search as runs inside of it. Open the page, choose the experiment `diabetes`, and look at them side by side.
"""

from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, train_test_split

import stepwell as mlflow

MODEL = "diabetes"
FOREST = RandomForestRegressor(n_estimators=10, random_state=0)
# What is tried: a baseline, and two searches.
TRIED = {
    "baseline": LinearRegression(),
    "ridge": GridSearchCV(Ridge(), {"alpha": [0.001, 0.01, 0.1, 1, 10, 100]}, cv=3),
    "forest": GridSearchCV(FOREST, {"max_depth": [2, 4]}, cv=3),
}


def main() -> None:
    """Train all, register the best, and predict with it."""
    mlflow.autolog()
    mlflow.set_experiment("diabetes")
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
    for name, model in TRIED.items():
        with mlflow.start_run(run_name=name):
            model.fit(x_train, y_train)
            predicted = model.predict(x_test)
            # Negative, as searches maximise.
            scores = {
                "Neg. RMSE": -root_mean_squared_error(y_test, predicted),
                "Neg. MAE": -mean_absolute_error(y_test, predicted),
                "R2": r2_score(y_test, predicted),
            }
            mlflow.log_metrics(scores)
            print(f"{name:10} R2 {scores['R2']:.3f}")

    runs = mlflow.search_runs(order_by=["metrics.R2 DESC"], output_format="list")
    best = next(run for run in runs if "R2" in run.data.metrics)
    version = mlflow.register_model(f"runs:/{best.info.run_id}/model", MODEL)
    mlflow.MlflowClient().transition_model_version_stage(
        MODEL, version.version, "Staging", archive_existing_versions=True
    )
    staged = mlflow.sklearn.load_model(f"models:/{MODEL}/staging")
    error = mean_absolute_error(y_test, staged.predict(x_test))
    print(
        f"{best.info.run_name} is version {version.version} of {MODEL!r} in Staging; it errs by {error:.2f}"
    )


if __name__ == "__main__":
    main()
