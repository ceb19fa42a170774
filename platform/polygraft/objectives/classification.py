"""Standard cross-entropy, softmax or sigmoid: Goodfellow, Bengio, Courville 2016 (https://www.deeplearningbook.org), section 6.2.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.exhibits import Exhibit
from polygraft.models.network import View
from polygraft.objectives import pictures
from polygraft.objectives.base import Loss, Objective, differ, exact, scored
from polygraft.objectives.likelihoods import Likelihood, Sigmoid, Softmax
from polygraft.objectives.metrics.ranking import ranking

if TYPE_CHECKING:
    from polygraft.data.target import Target


class Classification(Objective):
    """One of two classes (one logit), one of several (a logit each), or any of several labels (a logit each).

    class_weights: `balanced` gives each class rows / (classes x its rows) of the training split, for labels each label's yes and
        no; a list gives each level its own, in the order of the levels. The loss is a mean weighted by them.
    label_smoothing: share of each target's certainty that is spread evenly (Szegedy et al. 2016, section 7).
    """

    target = ("category", "labels")
    better = {  # noqa: RUF012 - a fact, read as a literal
        "auc": "max",
        "average_precision": "max",
        "f1": "max",
        "accuracy": "max",
        "log_loss": "min",
        "improvement": "max",
    }

    balance: Tensor

    def __init__(
        self,
        task: str,
        target: Target,
        /,
        class_weights: Literal["none", "balanced"] | Annotated[Sequence[float], Range(min=0)] = "none",
        label_smoothing: Annotated[float, Range(min=0, below=1)] = 0.0,
    ) -> None:
        super().__init__()
        self.task, self.label_smoothing = task, label_smoothing
        self.levels = np.array([str(level) for level in target.levels], dtype=object)
        self.several = target.kind == "labels"
        self.names = target.columns if self.several else (task,)
        softmax = not self.several and len(self.levels) > 2
        self.outputs = len(self.levels) if softmax else len(self.names)
        self.likelihood: Likelihood = Softmax(self.outputs) if softmax else Sigmoid()
        weights = _class_weights(target, class_weights)  # [labels, 2], else [1, levels]
        self.register_buffer("balance", weights.flatten() if softmax else weights)

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Cross-entropy in nats; of labels the mean over them."""
        targets, weights = self.labels(view, batch)
        logits = exact(view.outputs[self.task])
        rows, factors = self.likelihood.losses(logits, targets, self.balance, self.label_smoothing)
        return Loss((rows * weights).sum(), (factors * weights).sum())

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>` is the likeliest level. Of two levels, `<task>_probability` is the second one's; of several, there is
        `<task>_probability_<level>` for each. For labels, `<label>` is 0 or 1 and `<label>_probability` its yes.
        """
        found = self.likelihood.probabilities(exact(outputs)).cpu().numpy()
        if isinstance(self.likelihood, Softmax):
            shown = {f"{self.task}_probability_{level}": found[:, i] for i, level in enumerate(self.levels)}
            return {self.task: self.levels[found.argmax(1)], **shown}
        columns: dict[str, np.ndarray] = {}
        for name, probability in zip(self.names, found.T, strict=True):
            yes = (probability > 0.5).astype(np.int8)
            columns |= {name: yes if self.several else self.levels[yes], f"{name}_probability": probability}
        return columns

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """AUC, average precision, F1, accuracy, log loss. Of several classes or labels, AUC, average precision (each against the
        rest) and F1 are means over those that occur. Row weights count in accuracy and log loss, not in the others.
        """
        logits, targets, weights = scored(outputs, targets, present, weights)
        if not len(logits):
            return {}
        whole = weights / weights.sum()
        probabilities, known = self.likelihood.probabilities(logits), self.likelihood.known(targets)
        losses, _ = self.likelihood.losses(logits, targets, torch.ones_like(self.balance), smoothing=0.0)
        log_loss, constant = float(losses @ whole), self.likelihood.entropy((whole @ known.double()).clamp(max=1))
        found = {
            **ranking(probabilities, known),
            "f1": self.likelihood.f1(probabilities, known),
            "accuracy": float(self.likelihood.right(probabilities, known) @ whole),
            "log_loss": log_loss,
            "improvement": 1 - log_loss / constant if differ(targets) else None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Of two classes: the ROC curve and how well calibrated the probabilities are; of several: the confusion matrix."""
        logits, targets, _ = scored(outputs, targets, present, weights)
        if self.several or not len(logits):
            return []
        probabilities = self.likelihood.probabilities(logits)
        if isinstance(self.likelihood, Softmax):
            return [pictures.confusion(self.task, probabilities.argmax(1), targets.long(), self.levels)]
        return [
            *pictures.roc(self.task, probabilities[:, 0], targets.bool()),
            pictures.calibration(self.task, probabilities[:, 0], targets.double()),
        ]


def _class_weights(target: Target, wanted: str | Sequence[float]) -> Tensor:
    """Float32 [labels, 2] (no, yes) for labels, else [1, levels]; a level without a row has weight 1."""
    counts = torch.tensor(target.counts, dtype=torch.float64)
    counts = torch.stack([target.labelled - counts, counts], 1) if target.kind == "labels" else counts.unsqueeze(0)
    if wanted == "none":
        return torch.ones_like(counts, dtype=torch.float32)
    if wanted == "balanced":
        share = counts.sum(1, keepdim=True) / counts.shape[1]
        return torch.where(counts > 0, share / counts.clamp(min=1), 1.0).float()
    if target.kind == "labels":
        raise fault("class_weights: a list goes with levels; for labels take 'balanced' or 'none'.")
    if len(wanted) != len(target.levels):
        levels = ", ".join(map(str, target.levels))
        raise fault(f"class_weights: {len(wanted)} weights for {len(target.levels)} levels. One for each of: {levels}.")
    return torch.tensor([list(map(float, wanted))])
