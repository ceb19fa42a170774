"""Which place answers for which object, against a loop over all of them; suppression against the textbook's greedy loop."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polygraft.models.places import places
from polygraft.objectives.assignment import assigned, centreness, distances
from polygraft.objectives.overlaps import iou
from polygraft.objectives.suppression import detections, kept

PICTURE = (32, 48)
GRID = places([torch.zeros(1, 1, 8, 12), torch.zeros(1, 1, 4, 6), torch.zeros(1, 1, 2, 3)], PICTURE)
corner, side = st.integers(0, 40), st.integers(1, 40)
thing = st.tuples(st.integers(0, 3), corner, corner, side, side).map(
    lambda each: (each[0], each[1], each[2], each[1] + each[3], each[2] + each[4])
)


def test_places_are_the_middles_of_the_maps_pixels() -> None:
    assert GRID[:2].tolist() == [[2, 2, 4], [6, 2, 4]]
    assert GRID[96].tolist() == [4, 4, 8]
    assert GRID[-1].tolist() == [40, 24, 16]
    assert len(GRID) == 8 * 12 + 4 * 6 + 2 * 3


def by_loop(place: list[float], objects: list[list[float]], radius: float) -> int | None:
    x, y, stride = place
    best, smallest = None, math.inf
    for number, (kind, left, top, right, bottom) in enumerate(objects):
        sides = (x - left, y - top, right - x, bottom - y)
        near = max(abs(x - (left + right) / 2), abs(y - (top + bottom) / 2)) <= radius * stride
        low, high = {4: (0, 32), 8: (32, 64), 16: (64, math.inf)}[int(stride)]
        size = (right - left) * (bottom - top)
        if kind > 0 and min(sides) > 0 and near and low < max(sides) <= high and size < smallest:
            best, smallest = number, size
    return best


@given(st.lists(st.lists(thing, min_size=3, max_size=3), min_size=1, max_size=3), st.sampled_from([0.6, 1.5, 9.0]))
@settings(max_examples=40, deadline=None)
def test_places_answer_for_what_a_loop_says(rows: list, radius: float) -> None:
    owner, answers = assigned(GRID, torch.tensor(rows, dtype=torch.float32), radius)
    for row, objects in enumerate(rows):
        for place, said in enumerate(GRID.tolist()):
            wanted = by_loop(said, objects, radius)
            assert answers[row, place].item() is (wanted is not None)
            assert wanted is None or owner[row, place] == wanted


def test_large_objects_are_for_coarse_maps_and_small_ones_for_fine_maps() -> None:
    objects = torch.tensor([[[1.0, 6, 6, 14, 14]], [[1.0, 0, 0, 48, 32]]])
    _, answers = assigned(places([torch.zeros(1, 1, 16, 24), torch.zeros(1, 1, 4, 6)], PICTURE), objects, 1.5)
    assert answers[0, :384].any()
    assert not answers[0, 384:].any()
    assert not answers[1, :384].any()
    assert answers[1, 384:].any()


def test_the_middle_of_a_box_is_1_and_its_edge_0() -> None:
    box = torch.tensor([0.0, 0, 8, 4])
    found = centreness(distances(torch.tensor([[4.0, 2, 1], [2, 2, 1], [0, 2, 1], [9, 2, 1]]), box))
    assert found.tolist() == pytest.approx([1, math.sqrt(2 / 6), 0, 0])


def greedy(boxes: torch.Tensor, classes: torch.Tensor, overlap: float) -> list[bool]:
    keep: list[int] = []
    for each in range(len(boxes)):
        if not any(classes[each] == classes[other] and iou(boxes[each], boxes[other]) > overlap for other in keep):
            keep.append(each)
    return [each in keep for each in range(len(boxes))]


@given(st.lists(thing, min_size=1, max_size=8), st.sampled_from([0.0, 0.3, 0.6]))
@settings(deadline=None)
def test_suppression_keeps_what_a_greedy_loop_keeps(things: list, overlap: float) -> None:
    boxes = torch.tensor([[each[1:] for each in things], [each[1:] for each in reversed(things)]]).float()
    classes = torch.tensor([[each[0] for each in things], [each[0] for each in reversed(things)]])
    found = kept(boxes, classes, overlap)
    for row in range(2):
        assert found[row].tolist() == greedy(boxes[row], classes[row], overlap)


def test_detections_are_the_surest_first_and_as_many_as_there_are() -> None:
    boxes = torch.tensor([[[0.0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]]])
    scores = torch.tensor([[[0.5, 0.1], [0.9, 0.2], [0.3, 0.8]]])
    found = detections(scores, boxes, overlap=0.5, candidates=100, most=5)[0]
    assert found[:, 0].tolist() == [1, 2, 1, 2, 0]
    assert found[:, 1].tolist() == pytest.approx([0.9, 0.8, 0.3, 0.2, 0])
    assert found[0, 2:].tolist() == [0, 0, 4, 5]
    assert torch.equal(detections(scores, boxes, overlap=0.5, candidates=100, most=2)[0], found[:2])
    assert detections(scores, boxes, overlap=0.5, candidates=1, most=3)[0, :, 0].tolist() == [1, 0, 0]


def test_many_rows_are_found_as_each_alone() -> None:
    chance = torch.Generator().manual_seed(0)
    scores = torch.rand(300, 5, 2, generator=chance)
    boxes = torch.rand(300, 5, 4, generator=chance).cumsum(2)
    whole = detections(scores, boxes, overlap=0.3, candidates=6, most=4)
    for row in (0, 255, 256, 299):
        alone = detections(scores[row : row + 1], boxes[row : row + 1], overlap=0.3, candidates=6, most=4)
        assert torch.equal(whole[row], alone[0])
    assert detections(scores[:0], boxes[:0], overlap=0.3, candidates=6, most=4).shape == (0, 4, 6)


@pytest.mark.parametrize(("overlap", "left"), [(0.6, [True, False]), (0.66, [True, False]), (0.67, [True, True])])
def test_two_boxes_that_share_two_thirds_are_one_or_two_objects(overlap: float, left: list[bool]) -> None:
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 2, 10, 12]]])
    assert kept(boxes, torch.tensor([[1, 1]]), overlap)[0].tolist() == left
    assert kept(boxes, torch.tensor([[1, 2]]), overlap).all()
