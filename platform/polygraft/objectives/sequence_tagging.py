"""Standard sequence tagging: cross-entropy of each position's own tag (Huang, Xu and Yu 2015, https://arxiv.org/abs/1508.01991, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from polygraft.core.batch import Batch, Inputs
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.exhibits import Exhibit
from polygraft.core.padding import padded
from polygraft.models.network import View
from polygraft.models.padding import steps_of
from polygraft.objectives import pictures
from polygraft.objectives.base import Loss, Objective, exact
from polygraft.objectives.items import FIRST, Items
from polygraft.objectives.metrics import classes
from polygraft.objectives.sequence_pictures import f1_table

if TYPE_CHECKING:
    from polygraft.data.target import Target


class SequenceTagging(Objective):
    """A tag for each step of a row's sequence.

    The loss is cross-entropy in nats summed over the tags of each row, its weight their number times the row's weight. Padding and tags that are not
    known do not count. A row has a tag for each of its steps, or is refused; where the encoder cut a row at its `max_length`, the tags beyond do
    not count in learning, and in scores they are missed.

    smoothing: share of each tag's certainty that is spread evenly (Szegedy et al. 2016, section 7).
    """

    target = "sequence"
    default_head = "sequence_labels"
    better = {"accuracy": "max", "f1": "max", "wrong": "min", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal

    def __init__(
        self,
        task: str,
        target: Target,
        inputs: Inputs,
        /,
        smoothing: Annotated[float, Range(min=0, below=1)] = 0.0,
    ) -> None:
        super().__init__()
        self.task, self.outputs, self.smoothing = task, len(target.levels), smoothing
        self.items, self.levels = Items(target.levels), np.array([str(each) for each in target.levels], dtype=object)
        self.cut_at = {each.length for each in inputs.others}

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Cross-entropy over tags. Raises UserError for a row whose tags are not those of its steps."""
        tags, rows = self.labels(view, batch)
        _, mask = steps_of(view.features[self.task])
        self._check(mask.sum(1), (tags != 0).sum(1), batch[view.network.tables[self.task]], rows)
        logits = exact(view.outputs[self.task])
        wanted = padded(tags[:, : logits.shape[1]], logits.shape[1:2])
        weights = rows[:, None] * ((wanted >= FIRST) & mask)
        each = cross_entropy(
            logits.flatten(0, 1),
            (wanted - FIRST).clamp(min=0).long().flatten(),
            reduction="none",
            label_smoothing=self.smoothing,
        )
        return Loss((each * weights.flatten()).sum(), weights.sum())

    def answers(self, view: View) -> Tensor:
        """[rows, length]: the codes of the likeliest tags, 0 on padding."""
        _, mask = steps_of(view.features[self.task])
        return (view.outputs[self.task].argmax(2) + FIRST) * mask

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>`: the tags with spaces between them."""
        return {self.task: self.items.texts(outputs)}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Of tags that are known: accuracy, F1 as a mean over tags (row weights do not count in it), and the share of rows with a wrong one.

        `improvement` is the share of the wrong tags of the commonest one, said everywhere, that are right.
        """
        said, wanted, rows = _tags(outputs, targets, present, weights)
        known = wanted >= FIRST
        each = rows[:, None] * known
        if not bool((each > 0).any()):
            return {}
        right = float((each * (said == wanted)).sum() / each.sum())
        shares = torch.zeros(self.outputs + FIRST, dtype=each.dtype).index_add(0, wanted[known], each[known])
        wrong = ((said != wanted) & known).any(1)
        found = {
            "accuracy": right,
            "wrong": float((wrong * rows).sum() / rows.sum()),
            "f1": classes.f1_macro((said[known] - FIRST).clamp(min=0), wanted[known] - FIRST, self.outputs),
        }
        common = float(shares.max() / each.sum())
        return found | ({"improvement": (right - common) / (1 - common)} if common < 1 else {})

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Which tags are taken for which, and each one's F1."""
        said, wanted, _ = _tags(outputs, targets, present, weights)
        told = (wanted >= FIRST) & (said >= FIRST)
        if not bool(told.any()):
            return []
        one, other = said[told] - FIRST, wanted[told] - FIRST
        return [
            pictures.confusion(self.task, one, other, self.levels),
            f1_table(self.task, one, other, self.levels),
        ]

    def _check(self, steps: Tensor, tags: Tensor, batch: Batch, weights: Tensor) -> None:
        """Without a look at the device where all is well but once."""
        odd = (steps != tags) & (weights > 0)
        for limit in self.cut_at:
            odd &= ~((steps == limit) & (tags > limit))
        if bool(odd.any()):
            row = int(odd.nonzero()[0])
            what = f"row {int(batch.rows[row])} has {int(tags[row])} tags for {int(steps[row])} steps"
            mend = "A list of levels has an item for each; a text is cut by its encoder's own rules"
            raise fault(f"{what}; each step of a sequence has one. {mend}.", f"tasks.{self.task}.target")


def _tags(outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes said and wanted, int64 [rows, length], and weights (float64) of the rows that count."""
    rows = present & (weights > 0)
    wanted = targets[rows].long()
    said = outputs[rows][:, : wanted.shape[1]].long()
    return padded(said, wanted.shape[1:]), wanted, weights[rows].double()
