"""Methods on the Gramian beside torchjd's, and what their papers claim of a few cases.

Some of torchjd's want solvers of others, which only the `dev` extra brings; without them the test is skipped and says which.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor
from torchjd import aggregation as peers

from polygraft.balancing import registry
from polygraft.balancing.base import Weighting
from polygraft.balancing.collectives import Shards
from polygraft.balancing.gradnorm import GradNorm
from polygraft.balancing.gradvac import GradVac
from polygraft.balancing.imtl import IMTL
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients

SIZES, SCALES = (2, 3, 8), ("min", "median", "rmse")


def wanting(*packages: str) -> pytest.MarkDecorator:
    """Skip where torchjd would not make its method."""
    absent = [name for name in packages if find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"torchjd wants {', '.join(absent)}, which is not installed")


QUADPROG, CVXPY = wanting("quadprog", "qpsolvers"), wanting("cvxpy", "clarabel")
NASH = (wanting("cvxpy", "ecos"), pytest.mark.filterwarnings("ignore:You are solving a parameterized problem"))
"""ecos has no wheel for Python 3.13 on."""

GOLDEN = torch.tensor([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]], dtype=torch.float64)
Peer = Callable[[int], peers.Aggregator]
PEERS = [
    # ours, its settings, theirs by the number of tasks, numbers of tasks; of two tasks a drawn order does not matter
    ("pcgrad", {}, lambda _: peers.PCGrad(), (2,)),
    ("gradvac", {"beta": 0.3}, lambda _: peers.GradVac(beta=0.3), (2,)),
    ("mgda", {}, lambda _: peers.MGDA(epsilon=1e-7, max_iters=10_000), (2, 3)),
    ("imtl_g", {}, lambda _: peers.IMTLG(), SIZES),
    *(("aligned_mtl", {"scale_mode": by}, lambda _, by=by: peers.AlignedMTL(scale_mode=by), SIZES) for by in SCALES),
    ("fairgrad", {}, lambda _: peers.FairGrad(alpha=1.0), SIZES),
    ("fairgrad", {"alpha": 2.0}, lambda _: peers.FairGrad(alpha=2.0), SIZES),
    ("config", {}, lambda _: peers.ConFIG(), SIZES),
    pytest.param("upgrad", {}, lambda _: peers.UPGrad(), SIZES, marks=QUADPROG),
    pytest.param("dualproj", {}, lambda _: peers.DualProj(), SIZES, marks=QUADPROG),
    *(
        pytest.param("cagrad", {"c": c}, lambda _, c=c: peers.CAGrad(c=c, norm_eps=1e-6), SIZES, marks=CVXPY)
        for c in (0.4, 0.5, 1.0)
    ),
    pytest.param("nash_mtl", {}, lambda k: nash(k, 1.0), SIZES, marks=NASH),
]


def nash(tasks: int, max_norm: float) -> peers.Aggregator:
    """Theirs begins at its last step's weights, and stops at a residual of 1e-3, ours at rounding: a hundred turns take it there."""
    return peers.NashMTL(n_tasks=tasks, max_norm=max_norm, update_weights_every=1, optim_niter=100)


def shown(rows: Tensor, losses: list[float] | None = None, index: list[int] | None = None) -> StepGradients:
    count = len(rows)
    names = tuple(map(str, range(count)))
    totals = Totals(0, names, tuple(index or range(count)), tuple(losses or [1.0] * count), (1.0,) * count)
    return StepGradients(totals, 0, Shards(1), rows=(rows,), columns=lambda: (torch.arange(rows.shape[1]),))


def draw(tasks: int, seed: int) -> Tensor:
    """[tasks, 30], some of them in conflict."""
    return torch.randn(tasks, 30, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1


@pytest.mark.parametrize(("name", "settings", "peer", "sizes"), PEERS)
def test_it_is_torchjds(name: str, settings: dict[str, object], peer: Peer, sizes: tuple[int, ...]) -> None:
    """At 1e-3 of the longest gradient: torchjd adds 1e-4 to the Gramian's diagonal. Several steps, for what has a memory."""
    for tasks in sizes:
        ours: Weighting = registry.make(name, settings, tasks=tasks)
        theirs = peer(tasks)
        for rows in [*(draw(tasks, seed) for seed in range(3)), *([GOLDEN] if tasks == 2 else [])]:
            torch.testing.assert_close(
                ours.weigh(shown(rows)) @ rows, theirs(rows), rtol=0, atol=1e-3 * float(rows.norm(dim=1).max())
            )


@pytest.mark.parametrize("tasks", SIZES)
@NASH[0]
@NASH[1]
def test_nash_mtls_unclipped_step_is_torchjds_times_the_root_of_the_gramians_norm(tasks: int) -> None:
    for seed in range(3):
        rows = draw(tasks, seed)
        ours = registry.make("nash_mtl", {"max_norm": 0.0}, tasks=tasks).weigh(shown(rows)) @ rows
        theirs = nash(tasks, 0.0)(rows)
        assert float(theirs.norm()) == pytest.approx(tasks**0.5, abs=1e-4)
        torch.testing.assert_close(ours / (rows @ rows.T).norm().sqrt(), theirs, rtol=0, atol=1e-3)


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
