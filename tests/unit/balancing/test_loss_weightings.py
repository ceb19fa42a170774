"""Methods on losses: what their papers claim of each, TorchJD beside them, and losses of 0 and below."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchjd import scalarization

from balancing_shown import with_losses
from polygraft.balancing import registry
from polygraft.balancing.base import Weighting
from polygraft.balancing.dwa import DWA
from polygraft.balancing.fixed import Fixed
from polygraft.balancing.geometric_mean import GeometricMean
from polygraft.balancing.go4align import GO4Align, cluster_means
from polygraft.balancing.imtl_l import IMTLL
from polygraft.balancing.rlw import RLW
from polygraft.balancing.scale_invariant import ScaleInvariant
from polygraft.balancing.stch import STCH
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError

positive = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8)
ON_LOSSES = catalogue("balancing").names(needs="losses")


def slope(scalarizer: torch.nn.Module, losses: list[float]) -> Tensor:
    """TorchJD's weights: what its scalar's gradient by the losses is."""
    values = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    scalarizer.double()(values).backward()
    assert values.grad is not None
    return values.grad


@settings(deadline=None, max_examples=50)
@given(losses=positive)
def test_the_geometric_mean_and_torchjds_agree(losses: list[float]) -> None:
    mine = GeometricMean().weigh(with_losses(*losses))
    torch.testing.assert_close(mine, slope(scalarization.GeometricMean(), losses), rtol=1e-9, atol=0)


def test_imtl_l_and_torchjds_agree() -> None:
    losses = [4.0, 0.25, 1.0]
    mine, theirs = IMTLL(3), scalarization.IMTLL(3)
    mine.log_scale.value += torch.tensor([0.3, -0.7, 0.0])
    theirs.log_scale.data += torch.tensor([0.3, -0.7, 0.0])
    torch.testing.assert_close(mine.weigh(with_losses(*losses)), slope(theirs, losses))


def test_imtl_l_brings_every_scaled_loss_to_one() -> None:
    balancer = IMTLL(2, lr=0.05)
    for _ in range(2000):
        weights = balancer.weigh(with_losses(4.0, 0.25))
    assert weights.tolist() == pytest.approx([0.25, 4.0], rel=1e-3)


def test_dwa_and_torchjds_agree() -> None:
    mine, theirs = DWA(3, window=4), scalarization.DWA()
    chance = np.random.default_rng(0)
    for _ in range(5):
        for _ in range(4):
            losses = chance.uniform(0.1, 3.0, 3).tolist()
            torch.testing.assert_close(mine.weigh(with_losses(*losses)), slope(theirs, losses))
        theirs.step()


def test_dwa_leans_on_the_task_that_fell_least_and_waits_for_an_absent_one() -> None:
    balancer = DWA(3, window=1)
    for losses in ([1.0, 1.0], [0.5, 0.9]):
        assert balancer.weigh(with_losses(*losses, index=[0, 2])).tolist() == [1, 1]
    weights = balancer.weigh(with_losses(0.5, 0.9, 0.9))
    ratios = [math.exp(r / 2) for r in (0.5, 1.0, 0.9)]  # the second task was never seen: 1
    assert weights.tolist() == pytest.approx([3 * each / sum(ratios) for each in ratios])


def test_stch_and_torchjds_agree_once_it_is_warm() -> None:
    balancer = STCH(3, mu=0.5, warmup=1, window=2)
    for losses in ([9.0, 9.0, 9.0], [1.0, 2.0, 4.0], [3.0, 2.0, 1.0]):
        weights = balancer.weigh(with_losses(*losses))
        assert weights.tolist() == pytest.approx([1 / each for each in losses])
    losses, nadir = torch.tensor([1.0, 2.5, 2.0], dtype=torch.float64), torch.tensor([2.0, 2.0, 2.5])
    theirs = slope(scalarization.STCH(mu=0.5, weights=torch.ones(3)), (losses / nadir).log().tolist())
    torch.testing.assert_close(balancer.weigh(with_losses(*losses.tolist())), 3 * theirs / losses)


def test_stch_with_a_small_mu_follows_the_worst_task_alone() -> None:
    balancer = STCH(2, mu=1e-3, warmup=0, window=1)
    balancer.weigh(with_losses(1.0, 1.0))
    assert balancer.weigh(with_losses(0.5, 0.6)).tolist() == pytest.approx([0, 2 / 0.6])


def test_a_task_that_stch_meets_late_warms_up_by_itself() -> None:
    balancer = STCH(2, warmup=0, window=1)
    balancer.weigh(with_losses(2.0, index=[0]))
    assert balancer.weigh(with_losses(1.0, 4.0)).tolist() == pytest.approx([1.0, 0.25])
    assert balancer.seen.tolist() == [2, 1]


@pytest.mark.parametrize("distribution", ["normal", "uniform", "dirichlet", "bernoulli", "one_of"])
def test_rlw_weighs_every_task_the_same_in_the_mean(distribution: str) -> None:
    balancer = registry.make("rlw", {"distribution": distribution})
    drawn = torch.stack([balancer.weigh(with_losses(1.0, 5.0, 0.1, step=step)) for step in range(3000)])
    torch.testing.assert_close(drawn.sum(1), torch.ones(3000, dtype=torch.float64))
    assert (drawn >= 0).all()
    torch.testing.assert_close(drawn.mean(0), torch.full((3,), 1 / 3, dtype=torch.float64), rtol=0, atol=0.03)
    assert (drawn.max(1).values == 1).all() == (distribution == "one_of")


def test_rlw_draws_the_same_for_the_same_step() -> None:
    assert torch.equal(RLW().weigh(with_losses(1.0, 2.0)), RLW().weigh(with_losses(3.0, 4.0)))


@settings(deadline=None, max_examples=50)
@given(losses=positive, factor=st.floats(0.01, 100))
def test_a_factor_before_a_loss_changes_no_scale_invariant_gradient(losses: list[float], factor: float) -> None:
    scaled = [losses[0] * factor, *losses[1:]]
    before, after = (ScaleInvariant().weigh(with_losses(*each)) for each in (losses, scaled))
    torch.testing.assert_close(after[0] * factor, before[0])
    assert torch.equal(after[1:], before[1:])


@settings(deadline=None, max_examples=100)
@given(values=st.lists(st.floats(-10, 10), min_size=1, max_size=6), groups=st.integers(1, 4))
def test_clusters_are_the_best_of_all(values: list[float], groups: int) -> None:
    def spread(choice: tuple[int, ...]) -> float:
        clusters = [[v for v, c in zip(values, choice, strict=True) if c == mine] for mine in range(groups)]
        return sum(len(each) * float(np.var(each)) for each in clusters if each)

    found = cluster_means(np.array(values), min(groups, len(values)))
    assert len(set(found.tolist())) <= groups
    best = min(map(spread, itertools.product(range(groups), repeat=len(values))))
    assert float(((np.array(values) - found) ** 2).sum()) == pytest.approx(best, abs=1e-9)


def test_go4align_gives_tasks_that_stand_alike_one_weight() -> None:
    weights = GO4Align(4, groups=2).weigh(with_losses(1.0, 1.1, 0.1, 0.11))
    assert weights[0] == weights[1] < weights[2] == weights[3]


def test_go4align_forgets_a_task_the_faster_the_higher_its_loss() -> None:
    balancer = GO4Align(3, groups=3, step_size=0.1)
    for _ in range(20):
        weights = balancer.weigh(with_losses(1.0, 2.0, index=[0, 2]))
    share = math.exp(-2.0) / (math.exp(-2.0) + math.exp(-4.0))
    assert weights.tolist() == pytest.approx([share * 3, (1 - share) * 1.5])
    assert balancer.risk[1] == 0


def test_fixed_refuses_a_task_that_there_is_not() -> None:
    with pytest.raises(
        UserError, match=r"weights: there is no task 'lat'\. Did you mean 'late'\? tasks has late, delay"
    ):
        Fixed(("late", "delay"), weights={"lat": 2})


@pytest.mark.parametrize("name", ON_LOSSES)
@pytest.mark.parametrize("losses", [(0.0, 1.0), (0.0, 0.0), (-3.0, 2.0), (1e-30, 1e30)])
def test_no_loss_makes_a_weight_that_is_not_finite(name: str, losses: tuple[float, float]) -> None:
    balancer: Weighting = registry.make(name, tasks=2, names=("a", "b"))
    for step in range(5):
        assert balancer.weigh(with_losses(*losses, step=step)).isfinite().all()
        balancer.observe(torch.tensor(losses, dtype=torch.float64), torch.arange(2))
