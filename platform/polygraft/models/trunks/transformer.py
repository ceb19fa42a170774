"""Transformer, Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), section 3, with norms before the layers, Xiong et al. 2020 (https://arxiv.org/abs/2002.04745)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal, cast

from torch import Tensor, nn

from polygraft.core.catalogue import Range
from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.attention import Attention
from polygraft.models.base import Trunk
from polygraft.models.dense import ACTIVATIONS
from polygraft.models.mixing import pooled
from polygraft.models.padding import blanked, steps_of
from polygraft.models.positions import Learned, Sinusoidal, Unplaced


class Transformer(Trunk):
    """Blocks of attention and a dense layer on a sequence, a stage each: x + attention(norm(x)), then x + dense(norm(x)).

    The first stage brings the steps to the width and puts their positions in; the last one ends with a norm and gives a vector, too.

    layers, heads: blocks, and heads of each. width: null is the stem's. hidden: units between the two dense layers, null is 4 x width.
    positions: `learned`, one each up to max_length; `sinusoidal` and `rotary` know no end, and rotary ones only how far steps are apart.
    max_length: the most steps of a row, where positions are learned; a longer row is refused.
    causal: no step looks at those after it. dropout: share of units switched off in training, of what each layer adds.
    pool: the vector is the `mean` of the steps, or the `first` one (a token that says nothing else).
    """

    wants = "sequence"

    def __init__(
        self,
        offer: Offer,
        /,
        layers: Annotated[int, Range(min=1)] = 2,
        heads: Annotated[int, Range(min=1)] = 4,
        width: Annotated[int | None, Range(min=1)] = None,
        hidden: Annotated[int | None, Range(min=1)] = None,
        positions: Literal["learned", "rotary", "sinusoidal"] = "learned",
        max_length: Annotated[int, Range(min=1)] = 512,
        causal: bool = False,
        dropout: Annotated[float, Range(min=0, below=1)] = 0.0,
        activation: Literal["relu", "gelu", "silu"] = "gelu",
        pool: Literal["mean", "first"] = "mean",
    ) -> None:
        super().__init__()
        units, rotary = width or offer.width, positions == "rotary"
        _check_heads(units, heads, rotary)
        places: dict[str, Callable[[], nn.Module]] = {
            "learned": lambda: Learned(max_length, units),
            "sinusoidal": Sinusoidal,
            "rotary": Unplaced,
        }
        blocks = [
            _Block(
                Attention(units, heads, rotary=rotary, causal=causal),
                _dense(units, hidden or 4 * units, activation),
                dropout,
            )
            for _ in range(layers)
        ]
        blocks[0].begin = _Begin(nn.Linear(offer.width, units) if width else nn.Identity(), places[positions]())
        blocks[-1].end = _End(units, pool)
        self.stages = nn.ModuleList(blocks)
        self.offers = (*[Offer("sequence", units)] * (layers - 1), Offer("sequence", units).summed_up())

    def last_layer(self) -> nn.Linear | None:
        """The last block's second dense layer."""
        return cast(nn.Linear, cast(_Block, self.stages[-1]).dense[-1])

    def attention(self, features: Features) -> list[Tensor]:
        """Of each stage what its heads look at, [rows, heads, length, length]; `features` are what the trunk reads."""
        found = []
        for stage in self.stages:
            found.append(cast(_Block, stage).attention_maps(features))
            features = stage(features)
        return found


class _Block(nn.Module):
    """begin: of the first one; end: of the last."""

    def __init__(self, attention: Attention, dense: nn.Sequential, dropout: float) -> None:
        super().__init__()
        self.begin: nn.Module | None = None
        self.end: nn.Module | None = None
        width = attention.out.out_features
        self.attention, self.dense = attention, dense
        self.before_attention, self.before_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Features) -> Features:
        """The sequence [rows, length, before] as [rows, length, width]."""
        x, mask = self._begun(features)
        x = x + self.dropout(self.attention(self.before_attention(x), None if features.mask is None else mask))
        x = x + self.dropout(self.dense(self.before_dense(x)))
        found = Features(sequence=blanked(x, mask), mask=features.mask)
        return self.end(found) if self.end is not None else found

    def attention_maps(self, features: Features) -> Tensor:
        """What its heads look at, [rows, heads, length, length]: each real step's weights add to 1, padding has none."""
        x, mask = self._begun(features)
        return self.attention.maps(self.before_attention(x), mask)

    def _begun(self, features: Features) -> tuple[Tensor, Tensor]:
        x, mask = steps_of(features)
        return (self.begin(x, mask) if self.begin is not None else x), mask


class _Begin(nn.Module):
    """Steps at the trunk's width, with their positions."""

    def __init__(self, width: nn.Module, place: nn.Module) -> None:
        super().__init__()
        self.width, self.place = width, place

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """[rows, length, width]."""
        return self.place(self.width(steps), mask)  # type: ignore[no-any-return]


class _End(nn.Module):
    """A norm, and a vector beside the steps."""

    def __init__(self, width: int, pool: str) -> None:
        super().__init__()
        self.norm, self.pool, self.offer = nn.LayerNorm(width), pool, Offer("sequence", width)

    def forward(self, features: Features) -> Features:
        """[rows, length, width], and [rows, width]."""
        steps, mask = steps_of(features)
        found = Features(sequence=blanked(self.norm(steps), mask), mask=features.mask)
        assert found.sequence is not None
        vector = pooled(found, self.offer) if self.pool == "mean" else found.sequence[:, 0]
        return replace(found, vector=vector)


def _dense(width: int, hidden: int, activation: str) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), ACTIVATIONS[activation](), nn.Linear(hidden, width))


def _check_heads(width: int, heads: int, rotary: bool) -> None:
    """Raises UserError where heads do not divide the width, or rotary positions a head's."""
    whole = heads * (1 + rotary)
    if width % whole:
        why = f"{heads} heads{' of an even width each, which rotary positions turn by pairs,' if rotary else ''}"
        nearest = max(width // whole, 1) * whole
        raise fault(f"heads: {why} do not divide a width of {width}. Take width: {nearest}, or other heads.")
