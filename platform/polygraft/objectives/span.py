"""Standard span extraction: cross-entropy of where an answer begins and where it ends (Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from polygraft.core.batch import Batch
from polygraft.core.catalogue import Range
from polygraft.models.network import View
from polygraft.models.padding import steps_of
from polygraft.objectives.base import Loss, Objective, exact

if TYPE_CHECKING:
    from polygraft.data.target import Target


class Span(Objective):
    """Where in a row's sequence a stretch begins and ends, counted from 0, both ends in it.

    The loss is the mean of the two cross-entropies in nats. An end beyond the steps that are read (the encoder cut the row) does not count in
    learning; in scores it is missed.

    max_length: steps of the longest stretch that is said, null is any.
    """

    target = "span"
    default_head = "pointers"
    better = {"exact_match": "max", "f1": "max", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal

    def __init__(self, task: str, target: Target, /, max_length: Annotated[int | None, Range(min=1)] = None) -> None:
        super().__init__()
        self.task, self.outputs, self.max_length = task, 2, max_length

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """The mean over both ends; of a row one of whose ends is beyond what is read, of neither."""
        ends, weights = self.labels(view, batch)
        _, mask = steps_of(view.features[self.task])
        weights = weights * (ends < mask.sum(1, keepdim=True)).all(1)
        shown = torch.where(weights[:, None] > 0, ends, torch.zeros_like(ends)).long()
        logits = exact(view.outputs[self.task])  # [rows, length, 2]
        return Loss.over_rows(cross_entropy(logits, shown, reduction="none").mean(1), weights)

    def answers(self, view: View) -> Tensor:
        """[rows, 2]: the likeliest beginning and end, of all that do not end before they begin."""
        first, last = exact(view.outputs[self.task]).unbind(2)
        places = torch.arange(first.shape[1], device=first.device)
        most = self.max_length or len(places)
        ahead = places - places[:, None]  # [first, last]
        both = first[:, :, None] + last[:, None]
        found = both.masked_fill((ahead < 0) | (ahead >= most), -torch.inf).flatten(1).argmax(1)
        return torch.stack([found // len(places), found % len(places)], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>_start` and `<task>_end`."""
        first, last = outputs.cpu().numpy().astype(np.int64).T
        return {f"{self.task}_start": first, f"{self.task}_end": last}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Exact match, and F1 of the steps in both stretches, a mean over rows (Rajpurkar et al. 2016, section 6.1).

        `improvement` is the share of the stretches that the commonest one misses which are found.
        """
        rows = present & (weights > 0)
        if not bool(rows.any()):
            return {}
        said, wanted, whole = outputs[rows].long(), targets[rows].long(), weights[rows].double()
        whole = whole / whole.sum()
        hits = float((said == wanted).all(1).double() @ whole)
        _, kinds = wanted.unique(dim=0, return_inverse=True)
        common = float(torch.zeros(len(whole), dtype=whole.dtype).index_add(0, kinds, whole).max())
        found = {"exact_match": hits, "f1": float(_overlap(said, wanted) @ whole)}
        return found | ({"improvement": (hits - common) / (1 - common)} if common < 1 else {})


def _overlap(said: Tensor, wanted: Tensor) -> Tensor:
    """F1 [rows]: twice the steps in both, over the steps of each."""
    both = (torch.minimum(said[:, 1], wanted[:, 1]) - torch.maximum(said[:, 0], wanted[:, 0]) + 1).clamp(min=0)
    return 2 * both.double() / (said[:, 1] - said[:, 0] + wanted[:, 1] - wanted[:, 0] + 2)
