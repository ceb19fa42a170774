"""The golden table: what each balancer makes of J = [[-4, 1, 1], [6, 1, 1]], losses 2 and 1/2, worked out by hand."""

from __future__ import annotations

import pytest
import torch

from polygraft.balancing import registry
from polygraft.balancing.base import Surgery
from polygraft.balancing.collectives import Shards
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.core.catalogue import catalogue

J = torch.tensor([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]], dtype=torch.float64)

GOLDEN = [
    # balancer, settings, weights (None: it has none), direction
    ("equal", {}, [1, 1], [2, 2, 2]),
    ("equal", {"reduction": "mean"}, [0.5, 0.5], [1, 1, 1]),
    ("fixed", {"weights": {"a": 2, "b": 0.5}}, [2, 0.5], [-5, 2.5, 2.5]),
    ("fixed", {"weights": {"b": 0}}, [1, 0], [-4, 1, 1]),  # who is not named counts 1
    ("scale_invariant", {}, [0.5, 2], [10, 2.5, 2.5]),  # 1 / L
    ("geometric_mean", {}, [0.25, 1], [5, 1.25, 1.25]),  # sqrt(2 * 1/2) / (2 L)
    ("dwa", {}, [1, 1], [2, 2, 2]),
    ("rlw", {}, [0.572, 0.428], [0.2799, 1, 1]),  # softmax of -0.8377, -1.1278, the seed's two normal numbers
    ("imtl_l", {}, [1, 1], [2, 2, 2]),
    ("stch", {}, [0.5, 2], [10, 2.5, 2.5]),  # it warms up: 1 / L
    ("go4align", {"groups": 2}, [0.62495, 2.50019], [12.50131, 3.12514, 3.12514]),  # (1 -+ 7.5e-5) / 2 * 2.5 / L
    ("go4align", {"groups": 1}, [1.56257, 1.56257], [3.12514, 3.12514, 3.12514]),
    ("uncertainty", {}, [0.5, 0.5], [1, 1, 1]),
    ("famo", {}, [0.2, 0.8], [4, 1, 1]),  # 1/2 / L, made to sum to 1
    ("mgda", {}, [0.6, 0.4], [0, 1, 1]),
    ("mgda", {"normalize": "l2"}, [0.5 / 18**0.5, 0.5 / 38**0.5], [0.0153, 0.1990, 0.1990]),
    ("mgda", {"normalize": "loss"}, [0.4339, 0.2643], [-0.1496, 0.6983, 0.6983]),
    ("mgda", {"normalize": "loss+"}, [0.0962, 0.0597], [-0.0266, 0.1559, 0.1559]),
    ("pcgrad", {}, [2.2222, 1.5789], [0.5848, 3.8012, 3.8012]),
    ("krum", {}, [1, 0], [-4, 1, 1]),  # two tasks tie, and the first is followed
    ("krum", {"selected": 2}, [0.5, 0.5], [1, 1, 1]),
    ("excess_mtl", {}, [1, 1], [2, 2, 2]),  # the first step only measures
    ("moco", {}, None, [-0.3219, 0.1336, 0.1336]),  # half of the rows, as long as 2 and 1/2; weights .4766 .5234
    ("moco", {"beta": 1.0, "gamma": 0.0, "stretch": False}, None, [1, 1, 1]),
    ("trimmed_mean", {}, None, [1, 1, 1]),
    ("gradvac", {}, [2.2222, 1.5789], [0.5848, 3.8012, 3.8012]),  # the usual cosine is 0 at first: PCGrad
    ("cagrad", {"c": 0.0}, [0.5, 0.5], [1, 1, 1]),
    ("cagrad", {"c": 0.5}, [0.7041, 0.5], [0.1835, 1.2041, 1.2041]),
    ("cagrad", {"c": 0.5, "rescale": "square"}, [0.5633, 0.4], [0.1468, 0.9633, 0.9633]),
    ("cagrad", {"c": 0.5, "rescale": "linear"}, [0.4694, 0.3333], [0.1223, 0.8027, 0.8027]),
    ("imtl_g", {}, [0.5923, 0.4077], [0.0767, 1, 1]),
    ("imtl", {}, [0.5923, 0.4077], [0.0767, 1, 1]),  # exp(0) for every task at first
    ("nash_mtl", {}, [0.4182, 0.2878], [0.0542, 0.7061, 0.7061]),
    ("nash_mtl", {"max_norm": 0.0}, [4.2777, 2.9441], [0.5539, 7.2217, 7.2217]),  # (2 |G|)^(1/2) long
    ("aligned_mtl", {}, [0.5591, 0.4083], [0.2133, 0.9673, 0.9673]),
    ("aligned_mtl", {"scale_mode": "median"}, [0.5591, 0.4083], [0.2133, 0.9673, 0.9673]),  # of two, the lower
    ("aligned_mtl", {"scale_mode": "rmse"}, [1.5109, 1.1033], [0.5764, 2.6142, 2.6142]),
    ("upgrad", {}, [1.1111, 0.7895], [0.2924, 1.9006, 1.9006]),
    ("upgrad", {"reduction": "sum"}, [2.2222, 1.5789], [0.5848, 3.8012, 3.8012]),
    ("dualproj", {}, [0.6111, 0.5], [0.5556, 1.1111, 1.1111]),
    ("dualproj", {"reduction": "sum"}, [1.2222, 1], [1.1111, 2.2222, 2.2222]),
    ("fairgrad", {}, [0.5915, 0.4071], [0.0766, 0.9985, 0.9985]),  # 2^(1/2) long
    ("fairgrad", {"alpha": 2.0}, [0.4714, 0.3195], [0.0313, 0.7908, 0.7908]),
    ("config", {}, [1.2265, 0.8441], [0.1588, 2.0706, 2.0706]),
    ("gradnorm", {}, [1, 1], [2, 2, 2]),
    ("torchjd", {"weighting": "PCGradWeighting"}, [2.2222, 1.5789], [0.5848, 3.8012, 3.8012]),
    ("torchjd", {"weighting": "ConstantWeighting", "options": {"weights": [2.0, 0.5]}}, [2, 0.5], [-5, 2.5, 2.5]),
    # both batches are J: the inner products are its Gramian
    ("modo", {"gamma": 0.01, "rho": 0.0}, [0.55, 0.45], [0.5, 1, 1]),
    ("modo", {"gamma": 0.01}, [0.55, 0.45], [0.5, 1, 1]),  # equal weights are pulled nowhere
    (
        "sdmgrad",
        {"steps": 1, "lr": 0.5, "lambda": 0.0},
        [0.5923, 0.4077],
        [0.0767, 1, 1],
    ),  # .5 + .5 (8 + 2) / 27.08 / 2
    ("sdmgrad", {}, [0.1154, 0.8846], [4.8462, 1, 1]),  # .15 / 1.3: twenty steps of 10 end in the corner 0, 1
    ("graddrop", {"leak": 1.0}, None, [2, 2, 2]),
    ("db_mtl", {}, None, [0.0376, 0.4906, 0.4906]),
    ("db_mtl", {"beta": 0.0}, None, [0.3763, 4.9059, 4.9059]),
]


def shown() -> StepGradients:
    totals = Totals(step=0, names=("a", "b"), index=(0, 1), losses=(2.0, 0.5), weights=(1.0, 1.0))
    return StepGradients(totals, 0, Shards(1), rows=(J.clone(),), columns=lambda: (torch.arange(3),)).crossed(J @ J.T)


def follow(name: str, settings: dict[str, object]) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Weights and direction."""
    balancer = registry.make(name, settings, tasks=2, names=("a", "b"))
    balancer.prepare(2, [3], J.new_empty(0))
    if isinstance(balancer, Surgery):
        return None, balancer.combine(shown())[0]
    weights = balancer.weigh(shown())
    return weights, weights @ J


@pytest.mark.parametrize(("name", "settings", "weights", "direction"), GOLDEN)
def test_the_golden_table(name: str, settings: dict[str, object], weights: list[float], direction: list[float]) -> None:
    found, followed = follow(name, settings)
    if weights is not None:
        torch.testing.assert_close(found, torch.tensor(weights, dtype=torch.float64), rtol=0, atol=5e-5)
    torch.testing.assert_close(followed, torch.tensor(direction, dtype=torch.float64), rtol=0, atol=5e-5)


def test_graddrop_keeps_one_sign_of_a_column_and_all_of_an_agreed_one() -> None:
    _, direction = follow("graddrop", {})
    assert direction[0] in (-4, 6)
    assert direction[1:].tolist() == [2, 2]


def test_every_balancer_has_a_line() -> None:
    assert {line[0] for line in GOLDEN} == set(catalogue("balancing").names())
