"""Pictures of sequences: what a tagger confuses, as arrays that the report draws later."""

from __future__ import annotations

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
