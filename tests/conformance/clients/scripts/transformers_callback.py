"""The Trainer of transformers with report_to="mlflow"."""

import os
import sys

import torch
from mlflow.tracking import MlflowClient
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

name, folder = sys.argv[1:]
os.environ["MLFLOW_EXPERIMENT_NAME"] = name
os.environ["MLFLOW_TAGS"] = '{"from": "transformers"}'
STEPS = 6

config = BertConfig(
    vocab_size=32,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=1,
    intermediate_size=8,
    num_labels=2,
)
rows = [{"input_ids": torch.randint(0, 32, (4,)), "labels": torch.tensor(row % 2)} for row in range(STEPS)]
trainer = Trainer(
    model=BertForSequenceClassification(config),
    args=TrainingArguments(
        output_dir=f"{folder}/out",
        run_name="tiny",
        report_to="mlflow",
        per_device_train_batch_size=1,
        num_train_epochs=1,
        logging_steps=1,
        save_steps=3,
        use_cpu=True,
        disable_tqdm=True,
    ),
    train_dataset=rows,
)
trainer.train()

client = MlflowClient()
experiment = client.get_experiment_by_name(name)
(run,) = client.search_runs([experiment.experiment_id])
assert run.info.status == "FINISHED", run.info
assert run.info.run_name == "tiny", run.info
assert run.data.params["hidden_size"] == "8"
assert run.data.params["per_device_train_batch_size"] == "1"
assert run.data.tags["from"] == "transformers"
history = client.get_metric_history(run.info.run_id, "loss")
assert [point.step for point in history] == list(range(1, STEPS + 1)), history
assert "train_runtime" in run.data.metrics
