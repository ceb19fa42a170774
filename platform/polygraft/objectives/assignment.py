"""Which place answers for which object: FCOS, Tian et al. 2019 (https://arxiv.org/abs/1904.01355), section 3.2, with centre sampling (its arXiv version 2, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

_SMALL, _LARGE = 4.0, 8.0
"""Strides: a level is for objects whose farthest side is so far from the place; the paper's 64 to 128 pixels at a stride of 16."""


def assigned(places: Tensor, objects: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """(int64 [rows, places], the object that the place answers for; bool [rows, places], whether it does for any).

    places: x, y, stride, [places, 3]. objects: class, left, top, right, bottom, [rows, objects, 5], at least one; class 0 is none.
    A place is an object's that lies in its box, at most `radius` strides from its middle each way, and whose level is for its
    size: finer levels are for smaller ones, the finest for all small, the coarsest for all large ones. Of several objects it
    takes the smallest, of equals the first.
    """
    sides = distances(places[:, None], objects[:, None, :, 1:])  # [rows, places, objects, 4]
    stride = places[:, 2, None]  # [places, 1]
    off = places[:, None, :2] - (objects[:, None, :, 1:3] + objects[:, None, :, 3:5]) / 2
    near = off.abs().amax(-1) <= radius * stride
    farthest = sides.amax(-1)
    low = torch.where(stride > stride.min(), _SMALL * stride, 0.0)
    high = torch.where(stride < stride.max(), _LARGE * stride, torch.inf)
    fits = (objects[:, None, :, 0] > 0) & (sides.amin(-1) > 0) & near & (farthest > low) & (farthest <= high)
    size = (objects[..., 3:5] - objects[..., 1:3]).prod(-1)[:, None]  # [rows, 1, objects]
    size = torch.where(fits, size, torch.inf)
    number = torch.arange(objects.shape[1], device=objects.device)
    first = torch.where(size == size.amin(-1, keepdim=True), number, objects.shape[1]).amin(-1)
    return first, fits.any(-1)


def distances(places: Tensor, boxes: Tensor) -> Tensor:
    """How far left, top, right and bottom of boxes [..., 4] are from places [..., 3], [..., 4]; negative outside."""
    at = places[..., :2]
    return torch.cat([at - boxes[..., :2], boxes[..., 2:] - at], -1)


def centreness(sides: Tensor) -> Tensor:
    """How much in the middle of its box a place is, by its distances [..., 4]: 1 there, 0 at an edge (equation 3), [...]."""
    across, down = sides[..., [0, 2]], sides[..., [1, 3]]
    shares = across.amin(-1) / across.amax(-1).clamp(min=1e-9) * (down.amin(-1) / down.amax(-1).clamp(min=1e-9))
    return shares.clamp(min=0).sqrt()
