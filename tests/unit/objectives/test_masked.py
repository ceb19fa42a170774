"""Masked modelling: only what is hidden counts, nothing of it is seen, patches are hidden whole."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from polygraft.core.batch import Input, Inputs
from unlabelled_toys import Bent, answers, batch, learner, loss, scores

MIXED = Inputs(numbers=3, categories=(4, 6))
PHOTO = Input("image/photo", "image", (2, 6, 6))


def mixed(rows: int = 400, seed: int = 0):
    chance = torch.Generator().manual_seed(seed)
    codes = torch.stack([torch.randint(1, levels, (rows,), generator=chance) for levels in (4, 6)], 1).int()
    return batch(numbers=torch.randn(rows, 3, generator=chance), categories=codes)


def parts(learns, rows):
    objective = learns.objective("t")
    return objective._parts(answers(learns, rows))


def test_the_loss_is_the_mean_over_what_is_hidden() -> None:
    learns, rows = learner("masked", MIXED, trunk=Bent), mixed()
    found = loss(learns, rows)
    torch.manual_seed(0)
    outputs, hidden = learns.objective("t")._guessed(learns.network.view({"rows": rows}))
    units = learns.objective("t").rows
    assert 0.25 < hidden.float().mean() < 0.35
    assert_close(found, units.losses(outputs, units.wanted(rows.inputs))[hidden].mean())


def test_nothing_of_what_is_hidden_is_seen() -> None:
    """Other values there change no guess."""
    learns, rows = learner("masked", MIXED, trunk=Bent), mixed()
    wanted, raw, hidden = parts(learns, rows)
    other = learns.objective("t").rows.wanted(mixed(seed=1).inputs)
    changed = batch(**learns.objective("t").rows.inputs(torch.where(hidden > 0, other, wanted), rows.inputs))
    after, guessed, again = parts(learns, changed)
    assert torch.equal(hidden, again)
    assert torch.equal(raw, guessed)
    assert not torch.equal(wanted, after)


def test_a_marginal_fill_is_another_row_s_value() -> None:
    learns, rows = learner("masked", MIXED, fill="marginal", share=0.5), mixed()
    view = learns.network.view({"rows": rows})
    torch.manual_seed(0)
    _, hidden = learns.objective("t")._guessed(view)
    seen = view.seen("t", "masked", lambda inputs: pytest.fail("made twice")).batch["rows"].inputs["numbers"]
    before = rows.inputs["numbers"]
    assert torch.equal(seen[~hidden[:, :3]], before[~hidden[:, :3]])
    assert {*seen.flatten().tolist()} <= {*before.flatten().tolist()}
    assert (seen[hidden[:, :3]] != before[hidden[:, :3]]).float().mean() > 0.9


def test_patches_are_hidden_whole_in_all_channels() -> None:
    learns = learner("masked", Inputs(others=(PHOTO,)), patch=4, share=0.5)
    _, hidden = learns.objective("t")._guessed(
        learns.network.view({"rows": batch(image__photo=torch.rand(50, 2, 6, 6))})
    )
    maps = hidden.view(50, 2, 6, 6)
    assert torch.equal(maps[:, 0], maps[:, 1])
    for patch in (maps[..., :4, :4], maps[..., :4, 4:], maps[..., 4:, :4], maps[..., 4:, 4:]):
        flat = patch.flatten(1).float()
        assert torch.equal(flat.amin(1), flat.amax(1))
    assert 0.3 < hidden.float().mean() < 0.7


def test_a_column_that_another_one_tells_is_guessed_better_than_by_the_constant() -> None:
    x = torch.randn(500, 1)
    rows = batch(numbers=torch.cat([x, x, x], 1))
    learns = learner("masked", Inputs(numbers=3))
    before = scores(learns, rows)
    out = learns.network.heads["t"].out
    with torch.no_grad():
        out.weight.fill_(1 / 2)
        out.bias.zero_()
    after = scores(learns.train(), rows)
    assert after["improvement"] > 0.5 > before["improvement"]
    assert after["mse"] < 0.5
    assert after.keys() == {"mse", "improvement"}


def test_pictures_show_what_is_left_and_the_guesses() -> None:
    learns, rows = learner("masked", Inputs(others=(PHOTO,))), batch(image__photo=torch.rand(20, 2, 6, 6))
    (drawn,) = learns.objective("t").exhibits(answers(learns, rows), *rows.asked("t"), rows.weights)
    assert drawn.arrays["pixels"].shape == (3, 8, 2, 6, 6)
