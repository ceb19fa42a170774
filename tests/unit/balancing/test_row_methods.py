"""Methods on the rows of the Jacobian: robust means and what is averaged over steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchjd import aggregation

from balancing_shown import shown
from polygraft.balancing.excess_mtl import ExcessMTL
from polygraft.balancing.krum import Krum
from polygraft.balancing.moco import MoCo
from polygraft.balancing.simplex import onto_simplex
from polygraft.balancing.solvers import min_norm
from polygraft.balancing.trimmed_mean import TrimmedMean

five = arrays(np.float64, (5, 4), elements=st.floats(-100, 100, width=32))
honest = np.random.default_rng(0).normal(size=(5, 30))


@settings(deadline=None, max_examples=100)
@given(jacobian=five, trim=st.integers(0, 2))
def test_the_trimmed_mean_and_torchjds_agree(jacobian: np.ndarray, trim: int) -> None:
    theirs = aggregation.TrimmedMean(trim)(torch.from_numpy(jacobian))
    torch.testing.assert_close(TrimmedMean(trim).combine(shown(jacobian))[0], theirs)


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 7])
def test_the_trimmed_mean_always_leaves_somebody(tasks: int) -> None:
    jacobian = np.random.default_rng(tasks).normal(size=(tasks, 6))
    torch.testing.assert_close(
        TrimmedMean(trim=50).combine(shown(jacobian))[0], torch.from_numpy(np.median(jacobian, axis=0))
    )


@pytest.mark.parametrize("lie", [1e9, -1e9])
def test_one_liar_moves_the_trimmed_mean_no_further_than_the_others_reach(lie: float) -> None:
    lying = np.concatenate([honest, np.full((1, 30), lie)])
    found = TrimmedMean(1).combine(shown(lying))[0].numpy()
    assert (found <= honest.max(0)).all()
    assert (found >= honest.min(0)).all()


@settings(deadline=None, max_examples=100)
@given(jacobian=five)
def test_krum_and_torchjds_agree_where_one_neighbour_counts(jacobian: np.ndarray) -> None:
    """TorchJD sums distances, the paper their squares: with a single neighbour the order is one. Ties may go either way."""
    tasks = shown(jacobian)
    theirs = aggregation.KrumWeighting(n_byzantine=2)(tasks.gramian)
    apart = np.linalg.norm(jacobian[:, None] - jacobian, axis=2) + np.diag([np.inf] * 5)
    nearest = apart.min(1)
    mine, other = (int(weights.argmax()) for weights in (Krum(byzantine=2).weigh(tasks), theirs))
    assert nearest[mine] == pytest.approx(nearest[other], abs=1e-5)


def test_krum_sums_squared_distances() -> None:
    """Three nearest count. Sums of squares are 230, 174, 264, 276, 178, 180; of distances, the fifth has the lowest."""
    points = np.array([[-7, -7], [-5, -5], [-8, -7], [8, 3], [7, -1], [7, -2]], dtype=np.float64)
    assert Krum(byzantine=1).weigh(shown(points)).tolist() == [0, 1, 0, 0, 0, 0]
    assert aggregation.KrumWeighting(n_byzantine=1)(shown(points).gramian).argmax() == 4


@pytest.mark.parametrize("selected", [1, 2, 4])
def test_krum_never_takes_a_liar(selected: int) -> None:
    lying = np.concatenate([honest[:2], np.full((1, 30), 50.0), honest[2:]])
    weights = Krum(byzantine=1, selected=selected).weigh(shown(lying))
    assert weights[2] == 0
    assert weights[weights > 0].tolist() == [1 / selected] * selected


@settings(deadline=None, max_examples=100)
@given(point=arrays(np.float64, st.integers(1, 6), elements=st.floats(-5, 5)))
def test_a_projection_on_the_simplex_is_the_nearest_point_of_it(point: np.ndarray) -> None:
    found = onto_simplex(torch.from_numpy(point)).numpy()
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1)
    towards = np.eye(len(point)) - found  # no corner lies ahead of the way from the projection to the point
    assert (towards @ (point - found) <= 1e-9).all()


def test_moco_comes_to_the_shortest_combination() -> None:
    """Its claim: with gradients that stay, averages and weights settle where MGDA's are."""
    jacobian = np.array([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0], [1.0, 5.0, 0.0]])
    balancer = MoCo(3, beta=1.0, beta_fades=0.0, gamma=0.02, gamma_fades=0.0, stretch=False)
    balancer.prepare(3, [3], torch.empty(0, dtype=torch.float64))
    for _ in range(3000):
        followed = balancer.combine(shown(jacobian))[0]
    wanted = min_norm(jacobian @ jacobian.T)
    torch.testing.assert_close(balancer.weights, torch.from_numpy(wanted), rtol=0, atol=1e-6)
    torch.testing.assert_close(followed, torch.from_numpy(wanted @ jacobian), rtol=0, atol=1e-5)


def test_moco_averages_noise_away() -> None:
    chance, true = np.random.default_rng(1), np.array([[3.0, 1.0], [1.0, 3.0]])
    balancer = MoCo(2, stretch=False)
    balancer.prepare(2, [2], torch.empty(0, dtype=torch.float64))
    noise, errors = 5.0, []
    for _ in range(400):
        balancer.combine(shown(true + noise * chance.normal(size=(2, 2))))
        errors.append(float((balancer.blocks("average")[0] - torch.from_numpy(true)).abs().mean()))
    assert np.mean(errors[200:]) < 0.3 * noise


def test_moco_keeps_an_absent_tasks_average_weight_and_count() -> None:
    balancer = MoCo(3)
    balancer.prepare(3, [3], torch.empty(0, dtype=torch.float64))
    balancer.combine(shown(np.eye(3) + 1))
    before = {name: each.clone() for name, each in balancer.named_buffers()}
    balancer.combine(shown(np.array([[1.0, 2.0, 3.0], [3.0, -1.0, 0.0]]), index=[0, 2]))
    assert balancer.weights[1] == before["weights"][1]
    assert balancer.steps.tolist() == [2, 1, 2]
    assert torch.equal(balancer.blocks("average")[0][1], before["average"].view(3, 3)[1])
    assert float(balancer.weights.sum()) == pytest.approx(1)


def test_excess_mtl_leans_on_the_task_that_is_still_far() -> None:
    """Two gradients shrink, one stays: what is left to gain is the third's."""
    balancer = ExcessMTL(3, step_size=0.1)
    balancer.prepare(3, [3], torch.empty(0, dtype=torch.float64))
    for step in range(30):
        jacobian = np.diag([0.5**step, 0.5**step, 1.0])
        weights = balancer.weigh(shown(jacobian, losses=[9.0, 1.0, 1.0]))  # the loss itself does not matter
    assert weights[2] > 1.5 > weights[0]
    assert weights[0] == pytest.approx(weights[1])
    assert float(weights.sum()) == pytest.approx(3)


def test_excess_mtl_survives_a_task_without_a_gradient_at_first() -> None:
    balancer = ExcessMTL(2)
    balancer.prepare(2, [2], torch.empty(0, dtype=torch.float64))
    for _ in range(3):
        assert balancer.weigh(shown(np.array([[1.0, 0.0], [0.0, 0.0]]))).isfinite().all()
    for _ in range(3):
        weights = balancer.weigh(shown(np.eye(2)))
    assert weights.isfinite().all()
    assert weights.max() < 1.1
