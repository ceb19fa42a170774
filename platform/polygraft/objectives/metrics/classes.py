"""F1, by torchmetrics (https://lightning.ai/docs/torchmetrics); each row counts once."""

from __future__ import annotations

import torch
from torch import Tensor


def f1_binary(predicted: Tensor, targets: Tensor) -> float | None:
    """F1 of bool [rows, labels]: a mean over the labels that have a positive row; None when none has."""
    from torchmetrics.functional.classification import binary_f1_score

    found = [
        binary_f1_score(mine.long(), wanted.long(), validate_args=False)
        for mine, wanted in zip(predicted.unbind(1), targets.unbind(1), strict=True)
        if bool(wanted.any())
    ]
    return float(torch.stack(found).mean()) if found else None


def f1_macro(predicted: Tensor, targets: Tensor, classes: int) -> float:
    """F1 of class codes [rows]: a mean over the classes that occur or were predicted."""
    from torchmetrics.functional.classification import multiclass_f1_score

    return float(multiclass_f1_score(predicted, targets, classes, average="macro", validate_args=False))
