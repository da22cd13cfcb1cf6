"""Compares models on scikit-learn's diabetes data, registers the best, and loads it as `models:/diabetes/Staging`.

Start a server with `make serve`, then:

    .venv/bin/pip install -e '.[models,serving]' scikit-learn
    .venv/bin/python examples/serve_diabetes.py
    .venv/bin/stepwell models serve -m models:/diabetes/Staging -p 5001 --reload
"""

from typing import Any

from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.tree import DecisionTreeRegressor

import stepwell

NAME = "diabetes"
CANDIDATES: dict[str, Any] = {
    "baseline": LinearRegression(),
    "tree": GridSearchCV(DecisionTreeRegressor(random_state=0), {"max_depth": [2, 3, 4]}),
    "forest": GridSearchCV(
        RandomForestRegressor(50, random_state=0), {"max_depth": [3, 5], "min_samples_leaf": [1, 5]}
    ),
}


def train(name: str, model: Any, data: list[Any]) -> tuple[float, Any]:
    """Train one candidate in a run of its own, with its model; return how far off it is, and what was logged."""
    train_rows, test_rows, train_labels, test_labels = data
    with stepwell.start_run(run_name=name):
        model.fit(train_rows, train_labels)
        if hasattr(model, "best_params_"):
            stepwell.log_params(model.best_params_)
            model = model.best_estimator_
        predicted = model.predict(test_rows)
        rmse = float(root_mean_squared_error(test_labels, predicted))
        stepwell.log_metrics(
            {
                "rmse": rmse,
                "mae": float(mean_absolute_error(test_labels, predicted)),
                "r2": float(r2_score(test_labels, predicted)),
            }
        )
        return rmse, stepwell.sklearn.log_model(model, "model", input_example=train_rows.head(3))


def main() -> None:
    """Train all, register the best, and ask it by the name of its stage."""
    stepwell.set_experiment("diabetes")
    rows, labels = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    data = train_test_split(rows, labels, test_size=0.25, random_state=0)
    found = {name: train(name, model, data) for name, model in CANDIDATES.items()}
    best = min(found, key=lambda name: found[name][0])
    version = stepwell.register_model(found[best][1].model_uri, NAME)
    stepwell.StepwellClient().transition_model_version_stage(
        NAME, version.version, "Staging", archive_existing_versions=True
    )
    model = stepwell.pyfunc.load_model(f"models:/{NAME}/Staging")
    print(f"{best} is version {version.version} of {NAME!r}, rmse {found[best][0]:.1f}")
    print(
        "it predicts",
        [round(float(it)) for it in model.predict(data[1].head(3))],
        "for",
        data[3].head(3).tolist(),
    )


if __name__ == "__main__":
    main()
