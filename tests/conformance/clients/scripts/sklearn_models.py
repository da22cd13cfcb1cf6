"""What MLflow adds to scikit-learn: autolog, models where the server has a place for them, evaluation."""

import sys
import warnings

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
mlflow.set_experiment(sys.argv[1])
features, labels = load_iris(return_X_y=True, as_frame=True)
# Models of mlflow 3 are "logged models", those of mlflow 2 are files of the run.
has_logged_models = not mlflow.__version__.startswith("2.")

mlflow.sklearn.autolog()
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

loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
assert (loaded.predict(features) == model.predict(features)).all()
with mlflow.start_run() as second:
    logged = mlflow.sklearn.log_model(model, "by hand")
for uri in (logged.model_uri, f"runs:/{second.info.run_id}/by hand"):
    assert mlflow.sklearn.load_model(uri).get_params()["max_iter"] == 200
if not has_logged_models:
    assert "mlflow.log-model.history" in found.data.tags
else:
    (output,) = found.outputs.model_outputs
    of_run = mlflow.get_logged_model(output.model_id)
    assert of_run.params["max_iter"] == "200", of_run.params
    keys = {it.key for it in of_run.metrics}
    assert "training_accuracy_score" in keys, keys
    with mlflow.start_run(second.info.run_id):
        for step in range(3):
            mlflow.log_metric("acc", step / 2, step=step, model_id=logged.model_id)
    searched = mlflow.search_logged_models(filter_string="metrics.acc = 1.0", output_format="list")
    assert [it.model_id for it in searched] == [logged.model_id], searched
    assert [(it.value, it.step) for it in searched[0].metrics] == [(1.0, 2)], searched[0].metrics
    alone = mlflow.sklearn.log_model(model, name="alone")
    assert not mlflow.get_logged_model(alone.model_id).source_run_id

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
