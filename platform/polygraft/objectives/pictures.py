"""Pictures of predictions beside targets, as arrays that the report draws later."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from polygraft.core.exhibits import Exhibit
from polygraft.objectives.reconstruction import Units, shape_of

POINTS = 200
"""Of a curve: more are not seen."""
COLUMNS = 8
"""Of a grid of images."""


def roc(task: str, probabilities: Tensor, targets: Tensor) -> list[Exhibit]:
    """The ROC curve of probabilities [rows] against bool targets [rows]; none where only one class is there."""
    if bool(targets.all()) or not bool(targets.any()):
        return []
    ranked, order = probabilities.sort(descending=True)
    last = torch.cat([ranked.diff() != 0, torch.ones(1, dtype=torch.bool)])  # a point after each run of ties
    hits, misses = targets[order].cumsum(0)[last], (~targets[order]).cumsum(0)[last]
    at = torch.linspace(0, len(hits) - 1, min(POINTS, len(hits))).long()
    x = np.concatenate([[0.0], (misses[at] / misses[-1]).numpy()])
    y = np.concatenate([[0.0], (hits[at] / hits[-1]).numpy()])
    words = {"x": "false positives / negatives", "y": "true positives / positives"}
    return [Exhibit("curve", f"{task}: ROC", {"x": x, "y": y}, words)]


def calibration(task: str, probabilities: Tensor, targets: Tensor, *, bins: int = 20) -> Exhibit:
    """Mean probability and observed share in bins of equally many rows, by rank."""
    order = probabilities.argsort()
    parts = [part for part in torch.tensor_split(order, bins) if len(part)]
    x = np.array([float(probabilities[part].mean()) for part in parts])
    y = np.array([float(targets[part].mean()) for part in parts])
    return Exhibit(
        "curve", f"{task}: calibration", {"x": x, "y": y}, {"x": "predicted probability", "y": "observed share"}
    )


def confusion(task: str, predicted: Tensor, targets: Tensor, levels: np.ndarray) -> Exhibit:
    """Shares [levels, levels] of each true class's rows, by what was predicted; a class without rows has zeros."""
    size = len(levels)
    counts = torch.bincount(targets * size + predicted, minlength=size * size).reshape(size, size).double()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    arrays = {"z": shares.numpy(), "x": levels, "y": levels}
    return Exhibit("heatmap", f"{task}: confusion", arrays, {"x": "predicted", "y": "true"})


def against(task: str, predicted: Tensor, targets: Tensor) -> Exhibit:
    """Predicted values beside true ones, of at most 2,000 rows evenly apart."""
    at = evenly(len(targets), 2000)
    arrays = {"x": targets[at].numpy(), "y": predicted[at].numpy()}
    return Exhibit("scatter", f"{task}: predicted beside true", arrays, {"x": "true", "y": "predicted"})


def images(title: str, rows: Units, lines: list[Tensor]) -> list[Exhibit]:
    """A grid of small pictures: lines of units [columns, units], of which the first image is drawn; none where there is none."""
    if not rows.images:
        return []
    shape = shape_of(rows.images[0])
    first = rows.units - rows.pixels
    light = torch.stack(lines)[:, :, first : first + math.prod(shape)]
    pixels = (light.clamp(0, 1) * 255).round().to(torch.uint8).unflatten(2, shape)
    return [Exhibit("images", title, {"pixels": pixels.cpu().numpy()})]


def pairs(task: str, rows: Units, wanted: Tensor, outputs: Tensor) -> list[Exhibit]:
    """Some rows' images, evenly apart, above what is given back of them."""
    at = evenly(len(wanted), COLUMNS)
    lines = [wanted[at], rows.given(outputs[at])]
    return images(f"{task}: images and their reconstructions", rows, lines)


def places(task: str, code: Tensor) -> list[Exhibit]:
    """Where at most 2,000 rows lie by the first two numbers of their code [rows, code]."""
    at = evenly(len(code), 2000)
    x, y = code[at, 0].double().numpy(), code[at, 1].double().numpy()
    return [Exhibit("scatter", f"{task}: latent map", {"x": x, "y": y}, {"x": "code 0", "y": "code 1"})]


def samples(task: str, rows: Units, units: Tensor) -> list[Exhibit]:
    """Images that were drawn anew: the first ones of units [rows, units]."""
    lines = min(4, len(units) // COLUMNS)
    some = units[: lines * COLUMNS] if lines else units
    return images(f"{task}: images drawn anew", rows, list(some.split(min(COLUMNS, len(some)))))


def beside(task: str, real: Tensor, drawn: Tensor) -> list[Exhibit]:
    """The first two units of a table's rows and of drawn ones, at most 1,000 of each."""
    at = evenly(len(real), 1000)
    x, y = torch.cat([real[at], drawn[at]])[:, :2].double().unbind(1)
    group = np.repeat(np.array(["the table's", "drawn"], dtype=object), len(at))
    arrays = {"x": x.cpu().numpy(), "y": y.cpu().numpy(), "group": group}
    return [Exhibit("scatter", f"{task}: rows and drawn ones", arrays, {"x": "first number", "y": "second number"})]


def evenly(rows: int, most: int) -> Tensor:
    """The numbers of at most so many of the rows, evenly apart."""
    return torch.linspace(0, rows - 1, min(most, rows)).long()
