"""The landscape of `tests/bench/landscape.py` is the published one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bench.landscape import LIFT, STARTS, Point, arrived, descend, gradients, losses


def published(x: Tensor) -> list[Tensor]:
    """Both losses, term by term as CAGrad's appendix prints them."""
    above, below = torch.tanh(x[1] / 2).clamp(min=0), torch.tanh(-x[1] / 2).clamp(min=0)
    first = (0.5 * (-x[0] - 7) - torch.tanh(-x[1])).abs().clamp(min=5e-6).log() + 6
    second = (0.5 * (-x[0] + 3) + torch.tanh(-x[1]) + 2).abs().clamp(min=5e-6).log() + 6
    bowls = [((-x[0] + 7 * sign) ** 2 + 0.1 * (-x[1] - 8) ** 2) / 10 - 20 for sign in (1, -1)]
    return [first * above + bowls[0] * below, second * above + bowls[1] * below]


@pytest.mark.parametrize("point", [(1.0, 2.0), (-3.0, -2.0), (4.0, -5.0), (-8.5, 7.5), (9.0, 9.0), (0.0, 0.0)])
def test_losses_and_gradients_are_autograds(point: Point) -> None:
    x = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    wanted = published(x)
    assert list(losses(point)) == pytest.approx([float(each.detach()) + LIFT for each in wanted])
    for mine, each in zip(gradients(point), wanted, strict=True):
        assert list(mine) == pytest.approx(torch.autograd.grad(each, x, retain_graph=True)[0].tolist(), abs=1e-12)


@pytest.mark.slow
def test_mgda_reaches_the_front_from_every_start_where_the_sum_is_caught_in_a_valley() -> None:
    assert all(arrived(descend("mgda", start, scale=1.0, steps=25_000, lr=1e-3)) for start in STARTS)
    assert not arrived(descend("equal", STARTS[0], scale=1.0, steps=25_000, lr=1e-3))
