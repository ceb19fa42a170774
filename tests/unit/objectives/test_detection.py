"""Detection: its loss by formula, masks that multiply, pictures without objects and boxes beside the picture, and what it shows."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from polygraft import objectives
from polygraft.core.batch import Batch, Input, Inputs
from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.data.target import Target
from polygraft.models.heads import registry as heads
from polygraft.models.places import places

PHOTO = Input("image/photo", "image", (1, 16, 24), black=(-1.0,), white=(3.0,))
INPUTS = Inputs(others=(PHOTO,))
TARGET = Target("t", ("boxes", "kinds"), "boxes", ("cat", "dog"), (5, 5), 10, longest=2)
MAPS = (torch.zeros(1, 1, 8, 12), torch.zeros(1, 1, 4, 6))
GRID = places(MAPS, (16, 24))
CAT, DOG = (1.0, 2.0, 3.0, 9.0, 10.0), (2.0, 12.0, 1.0, 24.0, 16.0)


def detection(**settings: object):
    return objectives.registry.make("detection", settings, task="t", target=TARGET, inputs=INPUTS)


def objects(*rows: list[tuple]) -> Tensor:
    found = torch.zeros(len(rows), max(map(len, rows)), 5)
    for row, things in enumerate(rows):
        for place, each in enumerate(things):
            found[row, place] = torch.tensor(each)
    return found


def batch(targets: Tensor, **changes: Tensor) -> Batch:
    rows = len(targets)
    made = Batch({}, {"t": targets}, {"t": torch.ones(rows, dtype=torch.bool)}, torch.ones(rows), torch.arange(rows))
    return replace(made, **changes)


def outputs(rows: int, seed: int = 0, logits: int = 3) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    reach = torch.rand(rows, len(GRID), 4, generator=chance, dtype=torch.float64) * 9 + 1
    at = GRID[:, :2].double()
    corners = torch.cat([at - reach[..., :2], at + reach[..., 2:]], 2)
    said = torch.randn(rows, len(GRID), logits, generator=chance, dtype=torch.float64)
    return torch.cat([GRID.double().expand(rows, -1, -1), corners, said], 2)


def loss(objective, given: Tensor, rows: Batch):
    view = SimpleNamespace(outputs={"t": given}, network=SimpleNamespace(tables={"t": "table"}))
    return objective.losses(view, {"table": rows})


def answers(objective, given: Tensor) -> Tensor:
    pixels = torch.full((len(given), 1, 16, 24), 1.0)
    view = SimpleNamespace(outputs={"t": given}, inputs=lambda task: {"image/photo": pixels})
    return objective.answers(view)


def perfect(targets: Tensor, sure: float = 9.0) -> Tensor:
    """What a network says that knows: at every place in the middle of an object its box and class, and nowhere else anything."""
    made = outputs(len(targets))
    made[..., 7:] = -sure
    for row, things in enumerate(targets):
        for kind, *box in things.tolist():
            middle = torch.tensor([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
            near = (GRID[:, :2] - middle).abs().amax(1) <= 2.0
            if kind:
                made[row, near, 3:7] = torch.tensor(box, dtype=torch.float64)
                made[row, near, 6 + int(kind)] = sure
                made[row, near, 9] = sure
    return made


def test_without_an_object_it_is_the_focal_loss_of_every_place_by_its_formula() -> None:
    given = outputs(1)
    found = loss(detection(gamma=1.5, alpha=0.3), given, batch(torch.zeros(1, 0, 5)))
    p = given[..., 7:9].sigmoid()
    assert_close(found.total, (0.7 * p**1.5 * -(1 - p).log()).sum())
    assert found.weight == 1


def test_with_one_it_is_the_focal_loss_and_giou_by_formula() -> None:
    given, gone = outputs(1, logits=2), [1.0, 2.0, 3.0, 9.0, 10.0]
    objective = detection(centreness=False, radius=0.75, box_weight=2.0)
    found = loss(objective, given, batch(objects([gone])))
    # The middle is (5.5, 6.5): of the fine map, whose stride is 2, the places within 1.5 are those at 5 and 7, 5 and 7.
    mine = ((GRID[:, 2] == 2) & ((GRID[:, :2] - torch.tensor([5.5, 6.5])).abs().amax(1) <= 1.5)).nonzero()[:, 0]
    assert GRID[mine, :2].tolist() == [[5, 5], [7, 5], [5, 7], [7, 7]]
    p = given[..., 7:].sigmoid()
    negative = 0.75 * p**2 * -(1 - p).log()
    positive = 0.25 * (1 - p) ** 2 * -p.log()
    focal = negative.sum() - negative[0, mine, 0].sum() + positive[0, mine, 0].sum()
    apart = 0.0
    for left, top, right, bottom in given[0, mine, 3:7].tolist():
        both = max(min(right, 9) - max(left, 2), 0) * max(min(bottom, 10) - max(top, 3), 0)
        union = (right - left) * (bottom - top) + 49 - both
        around = (max(right, 9) - min(left, 2)) * (max(bottom, 10) - min(top, 3))
        apart += 1 - (both / union - (around - union) / around)
    assert_close(found.total, focal + 2 * apart)
    assert found.weight == 4


def test_parts_of_the_rows_sum_to_the_whole_however_long_they_are_padded() -> None:
    objective, given = detection(), outputs(5)
    targets = objects([CAT, DOG], [], [DOG], [CAT], [])
    weights = torch.tensor([1.0, 2, 0.5, 1, 3])
    whole = loss(objective, given, batch(targets, weights=weights))
    parts = [
        loss(objective, given[rows], batch(targets[rows, :longest], weights=weights[rows]))
        for rows, longest in ((slice(0, 2), 2), (slice(2, 4), 1), (slice(4, 5), 0))
    ]
    assert_close(sum(each.total for each in parts), whole.total)
    assert_close(sum(each.weight for each in parts), whole.weight)


def test_a_missing_label_gives_exactly_no_gradient_and_a_picture_without_objects_does() -> None:
    given, present = outputs(3).requires_grad_(), torch.tensor([True, False, True])
    targets = objects([CAT], [DOG, DOG], [])
    targets[1] = 3e38
    found = loss(detection(), given, batch(targets, present={"t": present}))
    found.total.backward()
    assert not given.grad[1].any()
    assert given.grad[2, :, 7:9].all()
    assert not given.grad[2, :, :7].any()
    assert given.grad.isfinite().all()
    assert found.weight > 1


def test_a_box_counts_as_far_as_it_lies_on_the_picture() -> None:
    objective, given = detection(), outputs(1)
    over, cut = (1.0, -5.0, 3.0, 9.0, 10.0), (1.0, 0.0, 3.0, 9.0, 10.0)
    whole, part = (loss(objective, given, batch(objects([each]))) for each in (over, cut))
    assert torch.equal(whole.total, part.total)
    beside, nothing = (
        loss(objective, given, batch(objects([(1.0, 30.0, 3, 40, 9)]))),
        loss(objective, given, batch(objects([]))),
    )
    assert torch.equal(beside.total, nothing.total)
    found = answers(objective, perfect(objects([cut])))
    assert scores(objective, found, objects([over]))["iou"] == 1


def scores(objective, found: Tensor, targets: Tensor) -> dict[str, float]:
    rows = len(targets)
    return objective.scores(found, targets, torch.ones(rows, dtype=torch.bool), torch.ones(rows))


def test_who_knows_scores_1_and_who_finds_nothing_0() -> None:
    objective, targets = detection(), objects([CAT, DOG], [], [DOG])
    known = scores(objective, answers(objective, perfect(targets)), targets)
    assert known == dict.fromkeys(objective.better, 1.0)
    nothing = scores(objective, answers(objective, perfect(torch.zeros(3, 1, 5))), targets)
    assert set(nothing) == set(objective.better)
    assert 0 <= nothing["map50"] < 0.3  # boxes everywhere, none surer than the others
    assert scores(objective, answers(objective, outputs(2)), torch.zeros(2, 1, 5)) == {}
    knowing, silent = (loss(objective, perfect(each), batch(targets)).total for each in (targets, torch.zeros(3, 1, 5)))
    assert knowing < silent


def test_a_person_is_shown_lists_of_classes_boxes_and_scores() -> None:
    objective, targets = detection(), objects([DOG, CAT], [])
    shown = objective.predict(answers(objective, perfect(targets)))
    assert {name: each.shape for name, each in shown.items()} == dict.fromkeys(("t", "t_boxes", "t_scores"), (2,))
    assert sorted(shown["t"][0]) == ["cat", "dog"]
    assert sorted(shown["t_boxes"][0]) == [[2, 3, 9, 10], [12, 1, 24, 16]]
    assert [len(each) for each in shown["t_scores"]] == [2, 0]
    same = objective.predict(answers(objective, perfect(objects([CAT], [DOG]))))
    assert [len(each) for each in same["t_boxes"]] == [1, 1]


def test_boxes_are_drawn_on_the_picture() -> None:
    objective, targets = detection(), objects([CAT], [])
    (drawn,) = objective.exhibits(
        answers(objective, perfect(targets)), targets, torch.tensor([True, True]), torch.ones(2)
    )
    pixels = drawn.arrays["pixels"]
    assert (drawn.kind, pixels.shape, pixels.dtype) == ("images", (2, 2, 1, 16, 24), np.uint8)
    for line in pixels:
        edge = np.zeros((16, 24), bool)
        edge[3:10, 2:9] = True
        edge[4:9, 3:8] = False
        assert ((line[0, 0] == 255) == edge).all()
        assert (line[1] == 64).all()  # (1 - -1) / (3 - -1) of the light, on half


def test_a_picture_that_training_moves_is_refused_and_a_table_without_one() -> None:
    for photo in (replace(PHOTO, moved=True),):
        with pytest.raises(UserError, match="its boxes would stay behind"):
            objectives.registry.make("detection", task="t", target=TARGET, inputs=Inputs(others=(photo,)))
    with pytest.raises(UserError, match="one image of a table; found 0"):
        objectives.registry.make("detection", task="t", target=TARGET, inputs=Inputs(numbers=3))


def test_the_head_says_a_box_around_each_place_of_every_level() -> None:
    torch.manual_seed(0)
    head = heads.make("boxes", offer=Offer("maps", 6), size=3, inputs=INPUTS)
    maps = tuple(torch.randn(2, 6, *each.shape[2:]) for each in MAPS)
    found = head(Features(maps=maps))
    assert found.shape == (2, len(GRID), head.size)
    assert torch.equal(found[1, :, :3], GRID)
    assert (found[..., 3:5] < GRID[:, :2]).all()
    assert (found[..., 5:7] > GRID[:, :2]).all()
    assert float(found[..., 7:].sigmoid().mean().detach()) == pytest.approx(0.01, abs=0.01)
    coarse = heads.make("boxes", {"levels": 1}, offer=Offer("maps", 6), size=3, inputs=INPUTS)
    assert coarse(Features(maps=maps)).shape == (2, 24, 10)


def test_each_level_is_read_alike() -> None:
    head = heads.make("boxes", {"layers": 2, "width": 4}, offer=Offer("maps", 6), size=3, inputs=INPUTS)
    maps = tuple(torch.randn(2, 6, *each.shape[2:]) for each in MAPS)
    both, fine = head(Features(maps=maps)), head(Features(maps=maps[:1]))
    assert_close(both[:, :96], fine)
