"""Pictures of sequences: what a tagger confuses and where items looked, as arrays that the report draws later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from polygraft.core.exhibits import Exhibit


def f1_table(task: str, predicted: Tensor, targets: Tensor, levels: np.ndarray) -> Exhibit:
    """F1 of each class [levels] against all others, and how often it is there, of class codes [items]."""
    size = len(levels)
    said, there = (torch.bincount(each, minlength=size).double() for each in (predicted, targets))
    hits = torch.bincount(targets[predicted == targets], minlength=size).double()
    arrays = {"level": levels, "f1": (2 * hits / (said + there).clamp(min=1)).numpy(), "count": there.numpy()}
    return Exhibit("table", f"{task}: F1 of each class", arrays)


def alignments(
    title: str, weights: Tensor, said: Sequence[Sequence[str]], read: Sequence[Sequence[str]]
) -> list[Exhibit]:
    """A picture a row of where [rows, items, length] each item that was said looked in what was read; padding is left out."""
    return [
        Exhibit(
            "alignment",
            f"{title} {number}",
            {
                "z": each[: len(items), : len(steps)].double().cpu().numpy(),
                "x": np.array(steps, dtype=object),
                "y": np.array(items, dtype=object),
            },
            {"x": "read", "y": "said"},
        )
        for number, (each, items, steps) in enumerate(zip(weights, said, read, strict=True), 1)
        if len(steps)
    ]
