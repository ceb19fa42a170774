"""How far boxes overlap: intersection over union, and its generalisation, Rezatofighi et al. 2019 (https://arxiv.org/abs/1902.09630), algorithm 1.

A box is left, top, right and bottom, right of left and below top; one without area overlaps nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST = 1e-9  # area by which nothing is divided


def area(boxes: Tensor) -> Tensor:
    """[...] of boxes [..., 4]; 0 of one that is turned inside out."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """[...] of boxes [..., 4] and others [..., 4], which broadcast; from 0 to 1."""
    both = _shared(boxes, others)
    return both / (area(boxes) + area(others) - both).clamp(min=_LEAST)


def giou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU less the share of the smallest box around both that neither fills, [...]; from -1, far apart, to 1, the same."""
    both = _shared(boxes, others)
    union = area(boxes) + area(others) - both
    around = area(torch.cat([torch.minimum(boxes, others)[..., :2], torch.maximum(boxes, others)[..., 2:]], -1)).clamp(
        min=_LEAST
    )
    return both / union.clamp(min=_LEAST) - (around - union) / around


def each_with_each(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU [..., n, m] of boxes [..., n, 4] and others [..., m, 4]."""
    return iou(boxes[..., :, None, :], others[..., None, :, :])


def clipped(boxes: Tensor, picture: tuple[int, int]) -> Tensor:
    """The part of boxes [..., 4] that lies on a picture of this (height, width)."""
    high, wide = picture
    most = boxes.new_tensor([wide, high, wide, high])
    return torch.minimum(boxes.clamp(min=0), most)


def _shared(boxes: Tensor, others: Tensor) -> Tensor:
    first, last = torch.maximum(boxes, others)[..., :2], torch.minimum(boxes, others)[..., 2:]
    return (last - first).clamp(min=0).prod(-1)
