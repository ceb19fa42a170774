"""Weighted sums of what several trunks gave, whatever kind of features it is; and a vector a row of it, for gates to read."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, addcmul

from polygraft.core.features import Features, Offer


def mixed(features: Sequence[Features], weights: Tensor) -> Features:
    """sum_i weights_i features_i, part by part; the mask is the first one's.

    weights: [features, rows or 1, width or 1]. A running sum: nothing is stacked, so that what several tasks mix is held once.
    """
    first, *rest = features
    parts = []
    for place, part in enumerate(first.tensors):
        total = part * _shaped(weights[0], first, place)
        for weight, other in zip(weights[1:], rest, strict=True):
            total = addcmul(total, other.tensors[place], _shaped(weight, first, place))
        parts.append(total)
    return first.with_tensors(parts)


def pooled(features: Features, offer: Offer) -> Tensor:
    """[rows, width]: the vector, or the mean over a sequence's positions that are there, or over the last level's pixels."""
    if offer.kind == "maps":
        return features.maps[-1].mean((2, 3))
    if offer.kind == "sequence":
        sequence, mask = features.sequence, features.mask
        assert sequence is not None
        if mask is None:
            return sequence.mean(1)
        there = mask.unsqueeze(2).to(sequence.dtype)
        return (sequence * there).sum(1) / there.sum(1).clamp_min(1)
    assert features.vector is not None, f"no vector where a {offer.kind} was offered"
    return features.vector


def _shaped(weight: Tensor, like: Features, place: int) -> Tensor:
    """[rows or 1, width or 1] as it multiplies part number `place`: a vector, a sequence, or maps."""
    vectors, sequences = int(like.vector is not None), int(like.sequence is not None)
    if place < vectors:
        return weight
    return weight.unsqueeze(1) if place < vectors + sequences else weight[:, :, None, None]
