"""Trains a small network on scikit-learn's digits, logs every batch, and keeps the model whenever it got better.

Start a server with `make serve`, then:

    .venv/bin/pip install -e '.[models]' scikit-learn torch
    .venv/bin/python examples/train_digits_pytorch.py

At the end the best model is loaded again, and gives the accuracy that was logged with it.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import stepwell
from stepwell.models import infer_signature

BATCH_SIZE = 64
EPOCHS = 6
LEARNING_RATE = 0.003


def network() -> nn.Module:
    """Return a network that looks at images of 8 x 8 pixels: (n, 1, 8, 8) to (n, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )


def train(model: nn.Module, batches: DataLoader, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    """Train one epoch, logging every batch."""
    model.train()
    for number, (images, labels) in enumerate(batches):
        optimizer.zero_grad()
        outputs = model(images)
        loss = nn.functional.cross_entropy(outputs, labels)
        loss.backward()
        optimizer.step()
        accuracy = (outputs.argmax(1) == labels).double().mean()
        step = epoch * len(batches) + number
        stepwell.log_metrics({"loss": loss.item(), "accuracy": accuracy.item()}, step=step)


def accuracy_of(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Return how many of the digits were recognised, 0 to 1."""
    return float((outputs.argmax(1) == labels).mean())


def main() -> None:
    """Train, keep the best, load it again."""
    torch.manual_seed(0)
    digits = load_digits()
    images = (digits.images[:, None] / 16.0).astype("float32")
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=0.25, random_state=0
    )
    data = TensorDataset(torch.from_numpy(train_images), torch.from_numpy(train_labels))
    batches = DataLoader(data, batch_size=BATCH_SIZE, shuffle=True)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    stepwell.set_experiment("digits")
    with stepwell.start_run(run_name="pytorch") as run:
        stepwell.log_params({"batch_size": BATCH_SIZE, "epochs": EPOCHS, "learning_rate": LEARNING_RATE})
        best = 0.0
        for epoch in range(EPOCHS):
            train(model, batches, optimizer, epoch)
            model.eval()
            with torch.no_grad():
                outputs = model(torch.from_numpy(test_images)).numpy()
            accuracy = accuracy_of(outputs, test_labels)
            stepwell.log_metric("test_accuracy", accuracy, step=epoch)
            if accuracy > best:
                best = accuracy
                signature = infer_signature(test_images, outputs)
                stepwell.pytorch.log_model(model, name="best_model", signature=signature, step=epoch)

    loaded = stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/best_model")
    again = accuracy_of(loaded.predict(test_images), test_labels)
    if again != best:
        raise SystemExit(f"The model that came back recognises {again:.1%}; {best:.1%} was logged with it.")
    print(f"The best model recognises {again:.1%} of unseen digits. Run: {run.info.run_id}")


if __name__ == "__main__":
    main()
