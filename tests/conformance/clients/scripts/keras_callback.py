"""MLflow's callback of Keras 3: params of the optimizer, a summary of the model, metrics of epochs."""

import sys

import keras
import mlflow
import numpy as np

mlflow.set_experiment(sys.argv[1])
EPOCHS = 3
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse", metrics=["mae"])
features = np.random.default_rng(7).random((32, 2))
with mlflow.start_run() as run:
    model.fit(
        features,
        features.sum(axis=1),
        epochs=EPOCHS,
        batch_size=8,
        validation_split=0.25,
        verbose=0,
        callbacks=[mlflow.keras.MlflowCallback()],
    )

client = mlflow.MlflowClient()
found = client.get_run(run.info.run_id)
assert found.info.status == "FINISHED"
assert found.data.params["optimizer_name"] == "sgd", found.data.params
for key in ("loss", "mae"):
    history = client.get_metric_history(run.info.run_id, key)
    assert [point.step for point in history] == list(range(EPOCHS)), history
assert "Dense" in mlflow.artifacts.load_text(f"{found.info.artifact_uri}/model_summary.txt")
