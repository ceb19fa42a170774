"""Methods on the Gramian beside torchjd's, and what their papers claim of a few cases.

torchjd's CAGrad and NashMTL want cvxpy, which is no dependency here: their oracles and the golden table stand for them. Its
projections want qpsolvers around quadprog; they are given quadprog itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import quadprog
import torch
from torch import Tensor
from torchjd import aggregation as peers
from torchjd._linalg import DualConeProjector

from polygraft.balancing import registry
from polygraft.balancing.base import Weighting
from polygraft.balancing.collectives import Shards
from polygraft.balancing.gradnorm import GradNorm
from polygraft.balancing.gradvac import GradVac
from polygraft.balancing.imtl import IMTL
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients


class Quadprog(DualConeProjector):
    """min v^T G v with v >= u, row by row, with torchjd's 1e-4 on the diagonal of the normalised Gramian."""

    def __call__(self, U: Tensor, G: Tensor) -> Tensor:  # noqa: N803 - theirs
        count = len(G)
        square = (G / G.trace() + 1e-4 * torch.eye(count)).numpy()
        rows = [quadprog.solve_qp(square, np.zeros(count), np.eye(count), u.numpy())[0] for u in U.reshape(-1, count)]
        return torch.from_numpy(np.stack(rows)).reshape(U.shape)


PEERS: list[tuple[str, dict[str, object], Callable[[], peers.Aggregator], tuple[int, ...]]] = [
    # ours, its settings, theirs, numbers of tasks; of two tasks a drawn order does not matter
    ("pcgrad", {}, peers.PCGrad, (2,)),
    ("gradvac", {"beta": 0.3}, lambda: peers.GradVac(beta=0.3), (2,)),
    ("mgda", {}, lambda: peers.MGDA(epsilon=1e-7, max_iters=10_000), (2, 3)),
    ("imtl_g", {}, peers.IMTLG, (2, 3, 8)),
    ("aligned_mtl", {}, peers.AlignedMTL, (2, 3, 8)),
    ("aligned_mtl", {"scale_mode": "median"}, lambda: peers.AlignedMTL(scale_mode="median"), (2, 3, 8)),
    ("aligned_mtl", {"scale_mode": "rmse"}, lambda: peers.AlignedMTL(scale_mode="rmse"), (2, 3, 8)),
    ("upgrad", {}, lambda: peers.UPGrad(projector=Quadprog()), (2, 3, 8)),
    ("dualproj", {}, lambda: peers.DualProj(projector=Quadprog()), (2, 3, 8)),
    ("fairgrad", {}, lambda: peers.FairGrad(alpha=1.0), (2, 3, 8)),
    ("fairgrad", {"alpha": 2.0}, lambda: peers.FairGrad(alpha=2.0), (2, 3, 8)),
    ("config", {}, peers.ConFIG, (2, 3, 8)),
]


def shown(rows: Tensor, losses: list[float] | None = None, index: list[int] | None = None) -> StepGradients:
    count = len(rows)
    names = tuple(map(str, range(count)))
    totals = Totals(0, names, tuple(index or range(count)), tuple(losses or [1.0] * count), (1.0,) * count)
    return StepGradients(totals, 0, Shards(1), rows=(rows,), columns=lambda: (torch.arange(rows.shape[1]),))


def draw(tasks: int, seed: int) -> Tensor:
    """[tasks, 30], some of them in conflict."""
    return torch.randn(tasks, 30, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1


@pytest.mark.parametrize(("name", "settings", "peer", "sizes"), PEERS)
def test_it_is_torchjds(
    name: str, settings: dict[str, object], peer: Callable[[], peers.Aggregator], sizes: tuple[int, ...]
) -> None:
    """At 1e-3 of the longest gradient: torchjd adds 1e-4 to the Gramian's diagonal. Three steps, for what has a memory."""
    for tasks in sizes:
        ours: Weighting = registry.make(name, settings, tasks=tasks)
        theirs = peer()
        for seed in range(3):
            rows = draw(tasks, seed)
            torch.testing.assert_close(
                ours.weigh(shown(rows)) @ rows, theirs(rows), rtol=0, atol=1e-3 * float(rows.norm(dim=1).max())
            )


def test_gradvac_turns_a_gradient_to_the_usual_cosine() -> None:
    balancer = GradVac(2, beta=0.0)
    balancer.usual += 0.5
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    turned = balancer.weigh(shown(rows)) @ rows  # both turned by 30 degrees: (1, tan 30) + (2 tan 30, 2)
    torch.testing.assert_close(turned, torch.tensor([1 + 2 * 3**-0.5, 2 + 3**-0.5], dtype=torch.float64))


def test_gradvac_remembers_pairs_of_tasks_that_are_there() -> None:
    balancer = GradVac(3, beta=0.5)
    balancer.weigh(shown(torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64), index=[0, 2]))
    wanted = torch.zeros(3, 3, dtype=torch.float64)
    wanted[0, 2] = wanted[2, 0] = 0.5 * 0.5**0.5
    torch.testing.assert_close(balancer.usual, wanted)


def test_imtl_makes_losses_equally_large() -> None:
    balancer = IMTL(2, lr=0.05)
    for _ in range(2000):
        balancer.weigh(shown(torch.eye(2, dtype=torch.float64), losses=[4.0, 0.25]))
    assert balancer.log_scale.value.exp().tolist() == pytest.approx([1 / 4, 4], rel=1e-3)


def test_gradnorm_makes_gradients_equally_long_where_all_learn_alike() -> None:
    balancer = GradNorm(2, lr=0.01)
    for _ in range(1000):
        weights = balancer.weigh(shown(torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))))
    assert weights.tolist() == pytest.approx([0.5, 1.5], abs=0.05)
    assert weights.sum() == pytest.approx(2)


def test_gradnorm_pulls_the_task_that_fell_least() -> None:
    balancer = GradNorm(2)
    for losses in ([1.0, 5.0], [0.2, 5.0], [0.2, 5.0]):
        weights = balancer.weigh(shown(torch.eye(2, dtype=torch.float64), losses=losses))
    assert weights[1] > 1 > weights[0]


def test_gradnorm_takes_the_first_loss_of_a_task_that_comes_late() -> None:
    balancer = GradNorm(3)
    balancer.weigh(shown(torch.eye(2, dtype=torch.float64), losses=[1.0, 2.0], index=[0, 2]))
    balancer.weigh(shown(torch.eye(3, dtype=torch.float64), losses=[0.5, 7.0, 1.0]))
    assert balancer.first.tolist() == [1, 7, 2]


def test_cagrads_step_stays_in_its_ball_and_is_the_mean_without_one() -> None:
    rows = draw(6, 1)
    mean = rows.mean(0)
    for c in (0.0, 0.3, 1.0, 5.0):
        step = registry.make("cagrad", {"c": c}, tasks=6).weigh(shown(rows)) @ rows
        assert (step - mean).norm() == pytest.approx(c * mean.norm().item(), rel=1e-6, abs=1e-9)


def test_fairgrad_nears_max_min_fairness_as_alpha_grows() -> None:
    """Towards MGDA's step, on which all gains of the tasks that count are equal."""
    rows = draw(3, 2)
    spread = []
    for alpha in (1.0, 3.0, 10.0):
        weights = registry.make("fairgrad", {"alpha": alpha}, tasks=3).weigh(shown(rows))
        gains = rows @ (weights @ rows)
        spread.append(float(gains.max() / gains.min()))
    assert spread[0] > spread[1] > spread[2] > 1


def test_zero_gradients_are_averaged() -> None:
    for name in ("cagrad", "imtl_g", "aligned_mtl", "upgrad", "dualproj"):
        weights = registry.make(name, tasks=3).weigh(shown(torch.zeros(3, 4, dtype=torch.float64)))
        torch.testing.assert_close(weights, torch.full_like(weights, 1 / 3))
