"""Average precision by hand and against loops over classes, overlaps and recalls; the overlap and the class that each object gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from polygraft.objectives.metrics.boxes import OVERLAPS, average_precisions, taken
from polygraft.objectives.overlaps import iou

HERE, MOVED, THERE = (0.0, 0, 10, 10), (0.0, 2, 10, 12), (20.0, 20, 30, 30)  # HERE and MOVED overlap by 2 / 3


def found(*rows: list[tuple]) -> Tensor:
    """Rows of (class, score, box)."""
    return padded([[(kind, score, *box) for kind, score, box in row] for row in rows], 6)


def true(*rows: list[tuple]) -> Tensor:
    return padded([[(kind, *box) for kind, box in row] for row in rows], 5)


def padded(rows: list[list[tuple]], size: int) -> Tensor:
    made = torch.zeros(len(rows), max(map(len, rows)), size, dtype=torch.float64)
    for row, things in enumerate(rows):
        for place, each in enumerate(things):
            made[row, place] = torch.tensor(each, dtype=torch.float64)
    return made


def test_by_hand() -> None:
    objects = true([(1, HERE), (1, THERE)], [])
    assert average_precisions(found([(1, 0.9, HERE), (1, 0.8, THERE)], []), objects).tolist() == [1] * 10
    # Right up to an overlap of .65; half of the objects: recalls 0 to .5, 51 of the 101.
    half = average_precisions(found([(1, 0.9, MOVED)], []), objects)
    assert half.tolist() == pytest.approx([51 / 101] * 4 + [0] * 6)
    # A wrong one that is surer: precision 1/2 at recall .5, then 2/3 at recall 1, which is then the best at every recall.
    late = average_precisions(found([(1, 0.8, HERE), (1, 0.7, THERE)], [(1, 0.9, HERE)]), objects)
    assert late.tolist() == pytest.approx([2 / 3] * 10)


def test_an_object_is_found_once() -> None:
    twice = average_precisions(found([(1, 0.9, HERE), (1, 0.8, HERE)]), true([(1, HERE), (1, THERE)]))
    assert twice.tolist() == pytest.approx([51 / 101] * 10)


def test_classes_count_alike_and_those_without_an_object_not_at_all() -> None:
    objects = true([(1, HERE), (2, THERE)])
    assert average_precisions(found([(1, 0.9, HERE), (3, 0.8, THERE)]), objects).tolist() == [0.5] * 10
    assert average_precisions(found([(1, 0.9, HERE)]), true([])) is None
    assert average_precisions(found([]), objects).tolist() == [0] * 10


def by_loops(found: Tensor, true: Tensor) -> list[float]:
    """As the text of the evaluation has it, for each overlap, class and recall."""
    kinds = sorted({int(each) for each in true[..., 0].flatten() if each > 0})
    whole = []
    for enough in OVERLAPS:
        precisions = []
        for kind in kinds:
            marked = []
            for row in range(len(found)):
                left = [each for each in true[row] if each[0] == kind]
                for each in found[row]:
                    if each[0] != kind:
                        continue
                    shares = [float(iou(each[2:], other[1:])) for other in left]
                    hit = bool(shares) and max(shares) >= enough
                    if hit:
                        del left[shares.index(max(shares))]
                    marked.append((float(each[1]), hit))
            marked.sort(key=lambda each: -each[0])
            count = sum(int((row[..., 0] == kind).sum()) for row in true)
            right = np.cumsum([hit for _, hit in marked])
            points = [(hits / count, hits / (place + 1)) for place, hits in enumerate(right)]
            at = [max((p for r, p in points if r >= wanted), default=0) for wanted in np.linspace(0, 1, 101)]
            precisions.append(np.mean(at))
        whole.append(float(np.mean(precisions)))
    return whole


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_average_precision_is_what_loops_say(seed: int) -> None:
    chance = np.random.default_rng(seed)
    scores = iter(chance.permutation(30) / 30)  # no two alike: loops and sorts order ties differently

    def box() -> tuple[float, ...]:
        left, top = chance.integers(0, 4, 2)
        return float(left), float(top), float(left + chance.integers(2, 5)), float(top + chance.integers(2, 5))

    objects = true(*[[(chance.integers(1, 4), box()) for _ in range(chance.integers(0, 4))] for _ in range(4)])
    boxes = [[(chance.integers(1, 4), next(scores), box()) for _ in range(chance.integers(0, 6))] for _ in range(4)]
    predicted = found(*[sorted(row, key=lambda each: -each[1]) for row in boxes])
    got = average_precisions(predicted, objects)
    if got is None:
        assert not objects[..., 0].any()
    else:
        assert got.tolist() == pytest.approx(by_loops(predicted, objects))


def test_each_object_is_taken_by_the_surest_box_on_it_whatever_its_class() -> None:
    objects = true([(1, HERE), (2, THERE)], [(3, HERE)])
    overlap, named = taken(found([(2, 0.9, MOVED), (1, 0.8, HERE), (2, 0.1, THERE)], []), objects)
    assert overlap[0].tolist() == pytest.approx([2 / 3, 1])
    assert named.tolist() == [[False, True], [False, False]]
    assert overlap[1].tolist() == [0, 0]
