"""Augmentation of a batch of images on the device, each row by a draw of its own: for views of rows that are already drawn."""

from __future__ import annotations

import torch
from torch import Tensor


def shifted(images: Tensor, most: int) -> Tensor:
    """[rows, c, h, w] moved by at most so many pixels each way, the edge drawn out."""
    rows, _, height, width = images.shape
    down, right = torch.randint(-most, most + 1, (2, rows, 1), device=images.device)
    y = (torch.arange(height, device=images.device) + down).clamp(0, height - 1)
    x = (torch.arange(width, device=images.device) + right).clamp(0, width - 1)
    moved = images.gather(2, y[:, None, :, None].expand_as(images))
    return moved.gather(3, x[:, None, None, :].expand_as(images))


def mirrored(images: Tensor) -> Tensor:
    """[rows, c, h, w], about half of them mirrored left to right."""
    half = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(half, images.flip(3), images)
