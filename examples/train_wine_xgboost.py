"""Searches settings of XGBoost on scikit-learn's wines: a nested run each; the best model is kept with its signature.

Start a server with `make serve`, then:

    .venv/bin/pip install -e '.[models]' scikit-learn xgboost
    .venv/bin/python examples/train_wine_xgboost.py
"""

from itertools import product
from typing import Any

import xgboost
from sklearn.datasets import load_wine
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

import stepwell
from stepwell.models import infer_signature

ROUNDS = 25
DEPTHS = (2, 4)
LEARNING_RATES = (0.03, 0.3)


def train(settings: dict[str, Any], data: list[Any]) -> tuple[xgboost.XGBClassifier, float]:
    """Train one model, log its loss by round to the active run; return it with its accuracy on unseen wines."""
    train_rows, test_rows, train_labels, test_labels = data
    model = xgboost.XGBClassifier(n_estimators=ROUNDS, eval_metric="mlogloss", **settings)
    model.fit(train_rows, train_labels, eval_set=[(test_rows, test_labels)], verbose=False)
    for step, loss in enumerate(model.evals_result()["validation_0"]["mlogloss"]):
        stepwell.log_metric("test_loss", loss, step=step)
    accuracy = float(accuracy_score(test_labels, model.predict(test_rows)))
    stepwell.log_metric("test_accuracy", accuracy)
    return model, accuracy


def main() -> None:
    """Search, keep the best, load it again by its run."""
    rows, labels = load_wine(return_X_y=True, as_frame=True)
    data = train_test_split(rows, labels, test_size=0.25, random_state=0)
    test_rows, test_labels = data[1], data[3]
    found = []
    stepwell.set_experiment("wines")
    with stepwell.start_run(run_name="settings of XGBoost") as search:
        for depth, learning_rate in product(DEPTHS, LEARNING_RATES):
            settings = {"max_depth": depth, "learning_rate": learning_rate}
            with stepwell.start_run(run_name=f"depth {depth}, rate {learning_rate}", nested=True):
                stepwell.log_params(settings)
                found.append((*train(settings, data), settings))
        model, accuracy, settings = max(found, key=lambda one: one[1])
        stepwell.log_params({f"best_{name}": value for name, value in settings.items()})
        stepwell.log_metric("best_test_accuracy", accuracy)
        signature = infer_signature(test_rows, model.predict(test_rows))
        stepwell.xgboost.log_model(model, name="model", signature=signature, input_example=test_rows.head(3))

    loaded = stepwell.pyfunc.load_model(f"runs:/{search.info.run_id}/model")
    again = accuracy_score(test_labels, loaded.predict(test_rows))
    if again != accuracy:
        raise SystemExit(
            f"The model that came back knows {again:.1%} of the wines; {accuracy:.1%} was logged."
        )
    print(f"The best model knows {again:.1%} of unseen wines. Run: {search.info.run_id}")


if __name__ == "__main__":
    main()
