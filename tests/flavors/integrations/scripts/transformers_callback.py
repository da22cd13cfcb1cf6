"""transformers' Trainer with StepwellCallback, given and by report_to."""

import sys

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import stepwell
from stepwell.integrations.transformers import StepwellCallback

config = BertConfig(
    vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)
data = [{"input_ids": torch.randint(0, 50, (8,)), "labels": torch.tensor(it % 2)} for it in range(8)]
stepwell.set_experiment(sys.argv[1])


def train(callbacks=None, **arguments):
    given = TrainingArguments(
        "out",
        max_steps=4,
        logging_steps=1,
        save_steps=2,
        per_device_train_batch_size=2,
        disable_tqdm=True,
        use_cpu=True,
        **arguments,
    )
    Trainer(BertForSequenceClassification(config), given, train_dataset=data, callbacks=callbacks).train()
    assert stepwell.active_run() is None
    return stepwell.last_active_run()


client = stepwell.StepwellClient()
callback = StepwellCallback(log_checkpoints=True, tags={"a": 1})
runs = [
    train(report_to="none", run_name="given", callbacks=[callback]),
    train(report_to="stepwell", run_name="by name"),
]
for run in runs:
    assert run.info.status == "FINISHED"
    assert (run.data.params["hidden_size"], run.data.params["max_steps"]) == ("16", "4")
    assert [it.step for it in client.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3, 4]
assert [run.info.run_name for run in runs] == ["given", "by name"]
assert runs[0].data.tags["a"] == "1"
kept = [it.path for it in client.list_artifacts(runs[0].info.run_id, "checkpoints")]
assert kept == ["checkpoints/checkpoint-2", "checkpoints/checkpoint-4"], kept
assert client.list_artifacts(runs[1].info.run_id) == []
