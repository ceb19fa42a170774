"""Detection without anchors: FCOS, Tian et al. 2019 (https://arxiv.org/abs/1904.01355), with the focal loss, Lin et al. 2017 (https://arxiv.org/abs/1708.02002), and GIoU, Rezatofighi et al. 2019 (https://arxiv.org/abs/1902.09630)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from polygraft.core.batch import Batch, Inputs
from polygraft.core.catalogue import Range
from polygraft.core.exhibits import Exhibit
from polygraft.core.padding import padded
from polygraft.models.network import View
from polygraft.models.places import BOX, LOGITS, PLACE
from polygraft.objectives import pictures
from polygraft.objectives.assignment import assigned, centreness, distances
from polygraft.objectives.base import Loss, Objective, exact, scored
from polygraft.objectives.metrics import boxes as metrics
from polygraft.objectives.overlaps import area, clipped, giou
from polygraft.objectives.sight import Picture
from polygraft.objectives.suppression import detections

if TYPE_CHECKING:
    from polygraft.data.target import Target


class Detection(Objective):
    """The objects of a picture, each a class and a box.

    Boxes are in pixels of the picture as the network sees it and count as far as they lie on it; one that lies beside it is no
    object. A picture without objects teaches where there is none.
    An object in which no place lies is not learned.

    gamma, alpha: of the focal loss: how much less an easy place counts, and the share of those with an object.
    radius: strides from an object's middle within which places answer for it.
    box_weight: of GIoU beside the focal loss. centreness: whether places learn to say how much in the middle they are, which
        then moves their score.
    overlap: of two boxes of a class that are one object. most: objects that are found in a picture at most; candidates: boxes
        looked at. threshold: the score from which `predict` shows a box.
    """

    target = "boxes"
    default_head = "boxes"
    better = {  # noqa: RUF012 - a fact, read as a literal
        "map50": "max",
        "map": "max",
        "iou": "max",
        "accuracy": "max",
        "improvement": "max",
    }

    def __init__(
        self,
        task: str,
        target: Target,
        inputs: Inputs,
        /,
        gamma: Annotated[float, Range(min=0)] = 2.0,
        alpha: Annotated[float, Range(above=0, below=1)] = 0.25,
        radius: Annotated[float, Range(above=0)] = 1.5,
        box_weight: Annotated[float, Range(min=0)] = 1.0,
        centreness: bool = True,
        overlap: Annotated[float, Range(min=0, max=1)] = 0.6,
        most: Annotated[int, Range(min=1)] = 100,
        candidates: Annotated[int, Range(min=1)] = 100,
        threshold: Annotated[float, Range(min=0, max=1)] = 0.3,
    ) -> None:
        super().__init__()
        self.task, self.gamma, self.alpha, self.radius, self.box_weight = task, gamma, alpha, radius, box_weight
        self.overlap, self.most, self.candidates, self.threshold = overlap, most, candidates, threshold
        self.picture = Picture(inputs)
        self.levels = np.array([str(level) for level in target.levels], dtype=object)
        self.centred = centreness
        self.outputs = len(self.levels) + centreness

    @property
    def width(self) -> int:
        """What is found, and the picture in small."""
        return 6 * self.most + self.picture.small

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """Of a picture the sum over its places, divided by those that answer for an object; by 1 where none does."""
        objects, weights = self.labels(view, batch)
        outputs = exact(view.outputs[self.task])
        objects = self._on_picture(objects).to(outputs.dtype)
        place, logits = outputs[0, :, PLACE].detach(), outputs[..., LOGITS]
        owner, answers = assigned(place, objects, self.radius)
        mine = objects.gather(1, owner[..., None].expand(-1, -1, 5))
        known = one_hot(mine[..., 0].long(), len(self.levels) + 1)[..., 1:] * answers[..., None]
        rows = self._focal(logits[..., : len(self.levels)], known.to(logits.dtype)).sum((1, 2))
        rows = rows + self.box_weight * ((1 - giou(outputs[..., BOX], mine[..., 1:])) * answers).sum(1)
        if self.centred:
            wanted = centreness(distances(place, mine[..., 1:]))
            middle = binary_cross_entropy_with_logits(logits[..., -1], wanted, reduction="none")
            rows = rows + (middle * answers).sum(1)
        return Loss((rows * weights).sum(), (answers.sum(1).clamp(min=1) * weights).sum())

    def answers(self, view: View) -> Tensor:
        """[rows, 6 most + pixels]: class, score and box of what is found, the surest first, and the picture in small."""
        outputs = exact(view.outputs[self.task])
        logits = outputs[..., LOGITS].sigmoid()
        scores = logits[..., : len(self.levels)]
        if self.centred:
            scores = (scores * logits[..., -1:]).sqrt()
        boxes = clipped(outputs[..., BOX], self.picture.size)
        found = detections(scores, boxes, overlap=self.overlap, candidates=self.candidates, most=self.most)
        return torch.cat([found.flatten(1), self.picture.pixels(view.inputs(self.task))], 1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>` the classes of what is found, `<task>_boxes` left, top, right, bottom of each, `<task>_scores`: a list a picture."""
        columns: dict[str, list[object]] = {self.task: [], f"{self.task}_boxes": [], f"{self.task}_scores": []}
        for found in self._found(outputs).cpu().numpy():
            shown = found[(found[:, 0] > 0) & (found[:, 1] >= self.threshold)]
            columns[self.task].append(self.levels[shown[:, 0].astype(int) - 1].tolist())
            columns[f"{self.task}_boxes"].append(shown[:, 2:].tolist())
            columns[f"{self.task}_scores"].append(shown[:, 1].tolist())
        return {name: _lists(rows) for name, rows in columns.items()}

    def scores(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> dict[str, float]:
        """`map50` and `map`: average precision at an overlap of .5, and the mean of .5 to .95, a mean over classes. `iou` and `accuracy`:
        each found box, the surest first, takes the object that it overlaps most; the mean overlap over all objects, and the share
        whose class was named. Row weights count in these two. `improvement` is `map`: who finds nothing has 0.
        """
        found, objects, weights = scored(outputs, targets, present, weights)
        found, objects = self._found(found), self._on_picture(objects.double())
        precision = metrics.average_precisions(found, objects)
        if precision is None:
            return {}
        overlap, named = metrics.taken(found, objects)
        counts = (objects[..., 0] > 0) * weights[:, None]
        found_scores = {"map50": precision[0], "map": precision.mean()}
        found_scores |= {
            "iou": (overlap * counts).sum() / counts.sum(),
            "accuracy": (named * counts).sum() / counts.sum(),
        }
        return {name: float(value) for name, value in found_scores.items()} | {"improvement": float(precision.mean())}

    def exhibits(self, outputs: Tensor, targets: Tensor, present: Tensor, weights: Tensor) -> list[Exhibit]:
        """Some pictures with their objects' boxes, and again with those that are found."""
        answers, objects, _ = scored(outputs, targets, present, weights)
        if not len(answers):
            return []
        at = pictures.evenly(len(answers), pictures.COLUMNS)
        found, light = self._found(answers[at]), self.picture.light(answers[at, 6 * self.most :])
        shown = torch.where((found[..., 1] >= self.threshold)[..., None], found, 0)[..., [0, 2, 3, 4, 5]]
        share = self.picture.share
        lines = [pictures.with_boxes(light, each[..., 1:] * share, each[..., 0] > 0) for each in (objects[at], shown)]
        return [Exhibit("images", f"{self.task}: objects and what is found", {"pixels": torch.stack(lines).numpy()})]

    def _focal(self, logits: Tensor, known: Tensor) -> Tensor:
        """-alpha_t (1 - p_t)^gamma log p_t, [...]: of each logit, known 0 or 1."""
        nats = binary_cross_entropy_with_logits(logits, known, reduction="none")
        wrong = (known - logits.sigmoid()).abs()
        return (self.alpha * known + (1 - self.alpha) * (1 - known)) * wrong**self.gamma * nats

    def _on_picture(self, objects: Tensor) -> Tensor:
        """Class and box [rows, objects, 5], at least one, as far as they lie on the picture; class 0 where nothing does."""
        objects = padded(objects, (max(objects.shape[1], 1), 5))
        boxes = clipped(objects[..., 1:], self.picture.size)
        return torch.cat([objects[..., :1] * (area(boxes) > 0)[..., None], boxes], 2)

    def _found(self, outputs: Tensor) -> Tensor:
        return outputs[:, : 6 * self.most].unflatten(1, (self.most, 6))


def _lists(rows: list[object]) -> np.ndarray:
    """[rows] of lists, which numpy would make a matrix of."""
    found = np.empty(len(rows), dtype=object)
    found[:] = rows
    return found
