"""Non-maximum suppression, greedy and class by class: Felzenszwalb et al. 2010 (https://doi.org/10.1109/TPAMI.2009.167), section 6.2."""

from __future__ import annotations

import torch
from torch import Tensor

from polygraft.objectives.overlaps import each_with_each

_ROWS = 256  # whose overlaps are in memory at once


def detections(scores: Tensor, boxes: Tensor, *, overlap: float, candidates: int, most: int) -> Tensor:
    """Class (from 1), score, left, top, right, bottom of what is found, the surest first, [rows, most, 6]; 0 where there is no more.

    scores: [rows, places, classes]; boxes: [rows, places, 4]. The `candidates` surest are looked at; one that overlaps a surer one of its
    class by more than `overlap` is the same object again.
    """
    if not len(scores):
        return scores.new_zeros(0, most, 6)
    parts = zip(scores.split(_ROWS), boxes.split(_ROWS), strict=True)
    return torch.cat([_found(*each, overlap, candidates, most) for each in parts])


def _found(scores: Tensor, boxes: Tensor, overlap: float, candidates: int, most: int) -> Tensor:
    classes = scores.shape[2]
    flat = scores.flatten(1)
    score, at = flat.topk(min(candidates, flat.shape[1]), 1)
    box = boxes.gather(1, (at // classes)[..., None].expand(-1, -1, 4))
    named = at % classes
    keep = kept(box, named, overlap)
    whole = torch.cat([(named + 1).to(score.dtype)[..., None], score[..., None], box], 2) * keep[..., None]
    order = (~keep).int().argsort(dim=1, stable=True)[:, :most]
    whole = whole.gather(1, order[..., None].expand(-1, -1, 6))
    return torch.nn.functional.pad(whole, (0, 0, 0, most - whole.shape[1]))


def kept(boxes: Tensor, classes: Tensor, overlap: float) -> Tensor:
    """Bool [rows, n]: which of boxes [rows, n, 4] of classes [rows, n], the surest first, are left."""
    same = (each_with_each(boxes, boxes) > overlap) & (classes[:, :, None] == classes[:, None])
    keep = torch.ones_like(classes, dtype=torch.bool)
    for each in range(boxes.shape[1]):
        keep[:, each + 1 :] &= ~(same[:, each, each + 1 :] & keep[:, each : each + 1])
    return keep
