"""What MLflow adds to scikit-learn: autolog, models where the server has a place for them, evaluation."""

import sys
import warnings

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
mlflow.set_experiment(sys.argv[1])
features, labels = load_iris(return_X_y=True, as_frame=True)
# Models of mlflow 3 are "logged models", which the server has no place for yet.
logs_models = mlflow.__version__.startswith("2.")

mlflow.sklearn.autolog(log_models=logs_models)
with mlflow.start_run() as run:
    model = LogisticRegression(max_iter=200).fit(features, labels)
mlflow.sklearn.autolog(disable=True)
found = mlflow.get_run(run.info.run_id)
assert found.info.status == "FINISHED", found.info
assert found.data.params["max_iter"] == "200", found.data.params
assert found.data.metrics["training_accuracy_score"] > 0.9, found.data.metrics
assert [it.dataset.name for it in found.inputs.dataset_inputs] == ["dataset"], found.inputs
names = {it.path for it in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
assert {"estimator.html", "training_confusion_matrix.png"} <= names, names

if logs_models:
    assert "mlflow.log-model.history" in found.data.tags
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert (loaded.predict(features) == model.predict(features)).all()
    with mlflow.start_run() as second:
        mlflow.sklearn.log_model(model, "by hand")
    assert mlflow.sklearn.load_model(f"runs:/{second.info.run_id}/by hand").get_params()["max_iter"] == 200

table = features.assign(label=labels, predicted=model.predict(features))
with mlflow.start_run() as run:
    result = mlflow.models.evaluate(
        data=table,
        targets="label",
        predictions="predicted",
        model_type="classifier",
        evaluator_config={"log_explainer": False, "log_model_explainability": False},
    )
found = mlflow.get_run(run.info.run_id)
assert found.data.metrics["accuracy_score"] == result.metrics["accuracy_score"] > 0.9
assert mlflow.MlflowClient().list_artifacts(run.info.run_id)
