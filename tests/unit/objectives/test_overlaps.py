"""Overlaps of boxes against counting small squares, and the gradient of GIoU against finite differences."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from polygraft.objectives.overlaps import clipped, each_with_each, giou, iou

corner, side = st.integers(0, 7), st.integers(1, 5)
box = st.tuples(corner, corner, side, side).map(lambda each: (each[0], each[1], each[0] + each[2], each[1] + each[3]))


def squares(*one: int) -> set[tuple[int, int]]:
    left, top, right, bottom = one
    return {(x, y) for x in range(left, right) for y in range(top, bottom)}


def as_tensor(*boxes: tuple[int, ...]) -> Tensor:
    return torch.tensor(boxes, dtype=torch.float64)


@given(box, box)
def test_iou_and_giou_are_counted_squares(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    mine, theirs = squares(*one), squares(*other)
    corners = [min(a, b) for a, b in zip(one[:2], other[:2], strict=True)]
    around = squares(*corners, *(max(a, b) for a, b in zip(one[2:], other[2:], strict=True)))
    shared = len(mine & theirs) / len(mine | theirs)
    wanted = shared - (len(around) - len(mine | theirs)) / len(around)
    assert iou(as_tensor(one), as_tensor(other)).item() == pytest.approx(shared)
    assert giou(as_tensor(one), as_tensor(other)).item() == pytest.approx(wanted)
    assert giou(as_tensor(one), as_tensor(one)).item() == pytest.approx(1)


def test_giou_knows_how_far_apart_boxes_are_where_iou_does_not() -> None:
    here, near, far = as_tensor((0, 0, 2, 2)), as_tensor((3, 0, 5, 2)), as_tensor((9, 0, 11, 2))
    assert iou(here, near) == iou(here, far) == 0
    assert giou(here, far) < giou(here, near) < 0


def test_the_gradient_of_giou_is_right_apart_inside_and_across() -> None:
    boxes = as_tensor((0, 0, 2, 2), (1, 1, 9, 9), (0, 0, 5, 6)).requires_grad_()
    others = as_tensor((5, 4, 8, 7), (2, 3, 5, 6), (2, 1, 7, 4))
    assert torch.autograd.gradcheck(giou, (boxes, others))


def test_boxes_without_area_overlap_nothing_and_divide_nothing() -> None:
    empty, inside_out = as_tensor((1, 1, 1, 1)), as_tensor((4, 4, 2, 2))
    for one in (empty, inside_out):
        assert iou(one, one).item() == 0
        assert iou(one, as_tensor((0, 0, 9, 9))).item() == 0
        assert giou(one, one).isfinite().all()


def test_each_with_each_is_a_matrix() -> None:
    boxes, others = as_tensor((0, 0, 2, 2), (1, 1, 3, 3)), as_tensor((0, 0, 2, 2), (5, 5, 6, 6), (1, 0, 3, 2))
    found = each_with_each(boxes, others)
    for i, one in enumerate(boxes):
        for j, other in enumerate(others):
            assert found[i, j] == iou(one, other)


def test_clipped_is_the_part_on_the_picture() -> None:
    found = clipped(as_tensor((-2, 1, 9, 20), (30, 2, 40, 5), (1, 2, 3, 4)), (10, 20))
    assert found.tolist() == [[0, 1, 9, 10], [20, 2, 20, 5], [1, 2, 3, 4]]
