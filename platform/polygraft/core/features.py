"""Features: what a trunk gives to its heads, and the words for what it offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor


@dataclass(frozen=True)
class Offer:
    """What a stem or a trunk offers to what stands on it.

    kind: `vector` [rows, width], `sequence` [rows, length, width] with a mask, or `maps` [rows, width, h, w] per level.
    width: features of a row, a position or a pixel; of several levels the last one's.
    also: what is offered beside it, each of another kind: a summary [rows, width] of a sequence.
    """

    kind: str
    width: int
    also: tuple[Offer, ...] = ()

    def of(self, kind: str) -> Offer | None:
        """What is offered of this kind, and nothing beside it."""
        return next((Offer(each.kind, each.width) for each in (self, *self.also) if each.kind == kind), None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds that are offered, the main one first."""
        return (self.kind, *(each.kind for each in self.also))

    def summed_up(self) -> Offer:
        """This with a vector of the same width beside it."""
        return replace(self, also=(*self.also, Offer("vector", self.width)))


@dataclass(frozen=True)
class Features:
    """What a trunk computed for the rows of one table; each part is None where the trunk does not offer it.

    vector: [rows, width]; sequence: [rows, length, width]; mask: bool [rows, length], True on what is real, which stands before
        all padding; maps: [rows, width, h, w] per level.
    """

    vector: Tensor | None = None
    sequence: Tensor | None = None
    mask: Tensor | None = None
    maps: tuple[Tensor, ...] = ()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The parts that carry gradient, in a fixed order: vector, sequence, maps."""
        return tuple(part for part in (self.vector, self.sequence, *self.maps) if part is not None)

    def with_tensors(self, tensors: Sequence[Tensor]) -> Features:
        """These features with `tensors`, as `tensors` names them, in place of its parts."""
        rest = iter(tensors)
        vector = None if self.vector is None else next(rest)
        sequence = None if self.sequence is None else next(rest)
        return replace(self, vector=vector, sequence=sequence, maps=tuple(rest))


@dataclass(frozen=True)
class Cut:
    """Where the shared part of a network ends and the tasks' own parts begin, for one shard's rows.

    features: what the shared part computed, each with its graph; the first axis is rows.
    aliases: by task, leaves of their own on the same numbers (`features.detach().requires_grad_()`), parallel to `features`;
        the task's head reads these. One backward through all heads then keeps the tasks apart. Empty when the heads read
        the features themselves: each head is then differentiated on its own.
    layer_input, layer_output: of the last shared layer, `[rows, in]` and `[rows, width]`; sequences have axes in between;
        maps are `[rows, channels, height, width]`. None where no layer is last (`last_layer` is then refused).
    """

    features: tuple[Tensor, ...]
    aliases: Mapping[str, tuple[Tensor, ...]] = field(default_factory=dict)
    layer_input: Tensor | None = None
    layer_output: Tensor | None = None
