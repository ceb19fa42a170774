"""Standard language model: the chance of each token after those before it (Mikolov et al. 2010, https://doi.org/10.21437/Interspeech.2010-343)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from polygraft.core.batch import Batch, Inputs
from polygraft.core.errors import fault
from polygraft.core.features import Offer
from polygraft.models.network import View
from polygraft.objectives.base import Loss, Objective, exact


class LanguageModel(Objective):
    """Say of each token of a row's own text what comes next, the end behind the last; it needs no target.

    The loss is cross-entropy in nats summed over what comes next in each row, its weight their number times the row's weight. The first token is
    only read. A token that is not known does not count, nor does the end of a row that its encoder cut. The backbone must be causal, as an LSTM of one
    direction or a transformer with `causal: true` is, or each position would have seen what it should say.
    """

    default_head = "sequence_labels"
    better = {"perplexity": "min", "cross_entropy": "min", "improvement": "max"}  # noqa: RUF012 - a fact, read as a literal

    def __init__(self, task: str, inputs: Inputs, /) -> None:
        super().__init__()
        texts = [each for each in inputs.others if each.kind == "tokens"]
        if len(texts) != 1:
            raise fault(f"a language model is of one text or list of levels; the table has {len(texts) or 'none'}.")
        self.task, self.text = task, texts[0]
        self.outputs = self.text.size - 1  # the end, and all codes from 2 on

    def stand_on(self, offer: Offer) -> Offer:
        """The sequence. Raises UserError where a position knows of those after it."""
        read = offer.of("sequence")
        if read is not None and not read.causal:
            mend = "Take an lstm with bidirectional: false, or a transformer with causal: true"
            raise fault(
                f"the backbone shows each position what comes after it, which is what a language model says. {mend}."
            )
        return offer

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Cross-entropy over what comes next."""
        nats, counts = self._nats(view)
        weights = batch[view.network.tables[self.task]].weights[:, None] * counts
        return Loss((nats * weights).sum(), weights.sum())

    def answers(self, view: View) -> Tensor:
        """[rows, 2, length]: nats of what comes next after each token, and its class from 1 on; both 0 where it does not count."""
        nats, counts = self._nats(view)
        return torch.stack([nats * counts, (self._next(view)[0] + 1) * counts], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>_perplexity`: of a row's own text, large where it is like no other; 1 where nothing of it counts."""
        nats, classes = outputs.double().unbind(1)
        found = (nats.sum(1) / (classes > 0).sum(1).clamp(min=1)).exp()
        return {f"{self.task}_perplexity": found.cpu().numpy()}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Nats a token, and perplexity. `improvement` is over saying each token by its share of all."""
        if outputs.ndim < 3:  # no rows
            return {}
        nats, classes = outputs.double().unbind(1)
        each = weights.double()[:, None] * (classes > 0)
        if not bool((whole := each.sum()) > 0):
            return {}
        found = float((nats * each).sum() / whole)
        shares = torch.zeros(self.outputs + 1, dtype=torch.float64).index_add(
            0, classes.long().flatten(), each.flatten()
        )
        constant = float(torch.special.entr(shares / whole).sum())
        scores = {"cross_entropy": found, "perplexity": math.exp(min(found, 700.0))}
        return scores | ({"improvement": 1 - found / constant} if constant > 1e-12 else {})

    def _nats(self, view: View) -> tuple[Tensor, Tensor]:
        """(nats [rows, length], whether each counts)."""
        classes, counts = self._next(view)
        logits = exact(view.outputs[self.task])
        nats = cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none").view(classes.shape)
        return nats, counts

    def _next(self, view: View) -> tuple[Tensor, Tensor]:
        """(classes [rows, length] of what comes after each token, whether each counts)."""
        tokens = view.inputs(self.task)[self.text.name].long()
        after = pad(tokens[:, 1:], (0, 1))
        cut = (tokens != 0).sum(1, keepdim=True) >= (self.text.length or math.inf)
        counts = (tokens != 0) & (after != 1) & ~((after == 0) & cut)
        return (after - 1).clamp(min=0), counts
