"""What the examples share: scikit-learn's 1,797 handwritten digits, two questions about them, a network, and a line of figures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Sampler, TensorDataset

TRAIN, BATCH, EPOCHS = 1400, 64, 15


def tables() -> tuple[TensorDataset, TensorDataset]:
    """Images [rows, 64] and digits [rows]: those to train on, and the others."""
    images, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(digits)
    return TensorDataset(x[:TRAIN], y[:TRAIN]), TensorDataset(x[TRAIN:], y[TRAIN:])


class Order(Sampler[int]):
    """The training rows, mixed anew in each epoch; the same in every example."""

    epoch = 0

    def __len__(self) -> int:
        return TRAIN

    def __iter__(self) -> Iterator[int]:
        self.epoch += 1
        yield from torch.randperm(TRAIN, generator=torch.Generator().manual_seed(self.epoch)).tolist()


def loader(batch_size: int = BATCH) -> DataLoader:
    """Batches of the training rows."""
    return DataLoader(tables()[0], batch_size, sampler=Order(), drop_last=True)


class Network(nn.Module):
    """One trunk; a head that names the digit and one that says whether it is odd."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))
        self.digit = nn.Sequential(nn.ReLU(), nn.Linear(32, 10))
        self.odd = nn.Sequential(nn.ReLU(), nn.Linear(32, 2))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.trunk(images)
        return {"digit": self.digit(features), "odd": self.odd(features)}


def losses_of(outputs: dict[str, Tensor], digits: Tensor) -> dict[str, Tensor]:
    """By task, the mean over these rows."""
    return {"digit": cross_entropy(outputs["digit"], digits), "odd": cross_entropy(outputs["odd"], digits % 2)}


def figures(model: Network, conflicts: list[float]) -> str:
    """Accuracy on the other rows, how often the tasks' gradients pointed against each other, the weights' fingerprint."""
    images, digits = tables()[1].tensors
    with torch.no_grad():
        outputs = model(images)
    right = {
        "digit": (outputs["digit"].argmax(1) == digits).float().mean(),
        "odd": (outputs["odd"].argmax(1) == digits % 2).float().mean(),
    }
    weights = hashlib.sha256(b"".join(each.detach().numpy().tobytes() for each in model.state_dict().values()))
    accuracies = ", ".join(f"{task} accuracy {each:.3f}" for task, each in right.items())
    rate = sum(conflicts) / len(conflicts)
    return f"{accuracies}, conflict in {rate:.0%} of {len(conflicts)} steps, weights {weights.hexdigest()[:12]}"
