"""Sequence to sequence, Sutskever, Vinyals and Le 2014 (https://arxiv.org/abs/1409.3215), section 2, with scheduled sampling, Bengio et al. 2015 (https://arxiv.org/abs/1506.03099), section 2.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from polygraft.core.batch import Batch
from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.exhibits import Exhibit
from polygraft.core.features import Features
from polygraft.models.decoding import Decoding, shifted
from polygraft.models.heads.transformer_decoder import TransformerDecoder
from polygraft.models.network import Network, View
from polygraft.models.padding import steps_of
from polygraft.models.search import search
from polygraft.objectives.base import Loss, Objective, exact
from polygraft.objectives.items import Items, errors
from polygraft.objectives.metrics.texts import bleu_and_chrf
from polygraft.objectives.sequence_pictures import alignments

if TYPE_CHECKING:
    from polygraft.data.target import Target


class Seq2Seq(Objective):
    """Say a sequence of items from what the backbone makes of a row's steps; the head is a decoder.

    The loss is cross-entropy in nats summed over the items and the end of each row, its weight their number times the row's weight. An item that is
    not known does not count, but is read. In training the decoder reads the true item before each, at evaluation its own.

    max_length: items after which it stops, null is as many as the longest label of training has; what is longer cannot be said.
    beam: sequences kept at each item when it is scored or predicts; 1 is greedy. norm: how much longer ones are preferred, the power of
        the length normalisation.
    own: the share of items for which, in the end, it reads in training what it said itself; own_after: steps until it is that, from 0 on,
        in a straight line.
    language_model: weight, in the loss, of saying the same with nothing to read: the decoder as a language model of the target.
    smoothing: share of each item's certainty that is spread evenly (Szegedy et al. 2016, section 7).
    join: what stands between two items of a text. texts: whether BLEU and chrF of the texts are among the scores.
    """

    target = "sequence"
    default_head = "decoder"
    better = {  # noqa: RUF012 - a fact, read as a literal
        "error_rate": "min",
        "wrong": "min",
        "accuracy": "max",
        "bleu": "max",
        "chrf": "max",
        "improvement": "max",
    }

    steps: Tensor

    def __init__(
        self,
        task: str,
        target: Target,
        /,
        max_length: Annotated[int | None, Range(min=1)] = None,
        beam: Annotated[int, Range(min=1)] = 1,
        norm: Annotated[float, Range(min=0)] = 0.6,
        own: Annotated[float, Range(min=0, max=1)] = 0.0,
        own_after: Annotated[int, Range(min=1)] = 1000,
        language_model: Annotated[float, Range(min=0)] = 0.0,
        smoothing: Annotated[float, Range(min=0, below=1)] = 0.0,
        join: str = " ",
        texts: bool = False,
    ) -> None:
        super().__init__()
        self.task, self.limit = task, max_length or max(target.longest, 1)
        self.outputs = 1 + len(target.levels)  # the end, and the levels
        self.items, self.has_texts = Items(target.levels, join), texts
        self.beam, self.norm = beam, norm
        self.own, self.own_after, self.language_model, self.smoothing = own, own_after, language_model, smoothing
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def width(self) -> int:
        """The most items."""
        return self.limit

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Cross-entropy over items. Every item's chance to be read from itself is drawn by its place in the shard."""
        codes, rows = self.labels(view, batch)
        given, wanted, counts = shifted(codes)
        weights = rows[:, None] * counts
        self._decoder(view.network)  # refuses another head
        total = self._nats(view.output(self.task, self._read(given)), wanted, weights)
        if self.language_model:
            blind = _blind(view.features[self.task])
            total = total + self.language_model * self._nats(view.headed(self.task, blind, given), wanted, weights)
        return Loss(total, weights.sum())

    def answers(self, view: View) -> Tensor:
        """[rows, items]: the codes that are said, 0 behind the end."""
        head = self._decoder(view.network)
        return search(head, view.features[self.task], self.limit, width=self.beam, norm=self.norm)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>`: the items as a text."""
        return {self.task: self.items.texts(outputs)}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """Error rate, share of wrong rows, accuracy by place; BLEU and chrF of the texts where asked.

        Saying nothing misses every item, so that `improvement` is the share of items that are not missed. Row weights count in all but BLEU and chrF.
        """
        rows = present & (weights > 0)
        if not bool(rows.any()):
            return {}
        said, wanted = outputs[rows], targets[rows]
        found = errors(said, wanted, weights[rows].double())
        if self.has_texts:
            found |= bleu_and_chrf(self.items.texts(said).tolist(), self.items.texts(wanted).tolist())
        return found | ({"improvement": 1 - found["error_rate"]} if "error_rate" in found else {})

    def after_step(self, network: Network) -> None:
        """Another step is done."""
        self.steps += 1

    @torch.no_grad()
    def looks(self, view: View, words: Sequence[Sequence[str]]) -> list[Exhibit]:
        """What it says of each row, and where it looked for each item; of a decoder with heads, each block's heads in the first row."""
        head, features, codes = self._decoder(view.network), view.features[self.task], self.answers(view)
        given = shifted(codes)[0]
        said = [[*self.items.words[row[row > 0]], "end"] for row in codes.cpu().numpy()]
        found = alignments(self.task, head.attention(features, given), said, words)
        if isinstance(head, TransformerDecoder) and words:
            for block, maps in enumerate(head.maps(features, given), 1):
                heads = maps.shape[1]
                found += alignments(f"{self.task}: block {block}, head", maps[0], said[:1] * heads, [words[0]] * heads)
        return found

    def _decoder(self, network: Network) -> Decoding:
        head = network.heads[self.task]
        if not isinstance(head, Decoding):
            raise fault(
                f"tasks.{self.task}.head: a sequence is said by a decoder. Take decoder or transformer_decoder."
            )
        return head

    def _read(self, given: Tensor) -> Tensor:
        """The items before, some of them replaced by the decoder's own; never what stands before the first."""
        if not self.own:
            return given
        share = self.own * (self.steps / self.own_after).clamp(max=1)
        own = torch.rand(given.shape, device=given.device) < share
        own[:, 0] = False
        return torch.where(own, ~given, given)

    def _nats(self, logits: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
        each = cross_entropy(
            exact(logits).flatten(0, 1), wanted.flatten(), reduction="none", label_smoothing=self.smoothing
        )
        return (each * weights.flatten()).sum()


def _blind(features: Features) -> Features:
    """A sequence of no step."""
    sequence, mask = steps_of(features)
    return Features(sequence=torch.zeros_like(sequence), mask=torch.zeros_like(mask))
