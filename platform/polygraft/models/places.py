"""Places of maps on a picture, and the form in which a head says of each place which box is there: Tian et al. 2019 (https://arxiv.org/abs/1904.01355), section 3.1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PLACE, BOX, LOGITS = slice(0, 3), slice(3, 7), slice(7, None)
"""Of the last axis of raw outputs [rows, places, 7 + logits]: x, y and stride of the place; left, top, right and bottom of its box, all
in pixels of the picture; logits."""


def places(maps: Sequence[Tensor], picture: tuple[int, int]) -> Tensor:
    """x, y and stride of the middle of each pixel of maps [rows, width, h, w], level by level, float32 [places, 3].

    picture: its (height, width). A stride is how many pixels of it one of the map's stands for, in the longer direction.
    """
    found = []
    for each in maps:
        high, wide = each.shape[2:]
        down, across = picture[0] / high, picture[1] / wide
        y = (torch.arange(high, device=each.device) + 0.5) * down
        x = (torch.arange(wide, device=each.device) + 0.5) * across
        grid = torch.stack([x.expand(high, wide), y[:, None].expand(high, wide)], 2).flatten(0, 1)
        found.append(torch.cat([grid, torch.full_like(grid[:, :1], max(down, across))], 1))
    return torch.cat(found)
