"""The balancer `torchjd`: any of the package's Gramian weightings, its chance, absent tasks, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchjd import aggregation

from polygraft.balancing import registry
from polygraft.balancing.collectives import Shards
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.core import extras
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError

J = torch.randn(3, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def shown(step: int = 0, index: tuple[int, ...] = (0, 1, 2)) -> StepGradients:
    names, ones = tuple(map(str, index)), (1.0,) * len(index)
    rows = J[list(index)]
    return StepGradients(Totals(step, names, index, ones, ones), 0, Shards(1), gramian=lambda: rows @ rows.T)


def weigh(weighting: str, tasks: StepGradients, **options: object) -> Tensor:
    found: Tensor = registry.make("torchjd", {"weighting": weighting, "options": options}, tasks=3).weigh(tasks)
    return found


@pytest.mark.parametrize(
    ("weighting", "options"),
    [("AlignedMTLWeighting", {"scale_mode": "median"}), ("IMTLGWeighting", {}), ("MGDAWeighting", {"epsilon": 1e-6})],
)
def test_weights_are_the_packages(weighting: str, options: dict[str, object]) -> None:
    theirs = getattr(aggregation, weighting)(**options)
    torch.testing.assert_close(weigh(weighting, shown(), **options), theirs(J @ J.T))


def test_what_it_draws_is_drawn_from_the_steps_chance_and_nothing_else_moves() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = weigh("RandomWeighting", shown(step=4))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(weigh("RandomWeighting", shown(step=4)), first)
    assert not torch.equal(weigh("RandomWeighting", shown(step=5)), first)


def test_an_option_by_task_is_cut_to_the_tasks_that_are_present() -> None:
    balancer = registry.make("torchjd", {"weighting": "ConstantWeighting", "options": {"weights": [1, 2, 3]}}, tasks=3)
    assert balancer.weigh(shown()).tolist() == [1, 2, 3]
    assert balancer.weigh(shown(index=(0, 2))).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"weighting": "PCGardWeighting"},
            "torchjd has no weighting 'PCGardWeighting'. Did you mean 'PCGradWeighting'?",
        ),
        ({"weighting": "Weighting"}, "torchjd has no weighting 'Weighting'."),
        ({"weighting": "UPGrad"}, "torchjd has no weighting 'UPGrad'. Did you mean 'UPGradWeighting'?"),
        (
            {"weighting": "GradVacWeighting"},
            "GradVacWeighting remembers earlier steps, and torchjd gives no way to save",
        ),
        ({"weighting": "MGDAWeighting", "options": {"eps": 1}}, "torchjd's MGDAWeighting is not made of {'eps': 1}: "),
        ({}, "torchjd' needs it: a text."),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_mend(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UserError) as error:
        registry.make("torchjd", settings, tasks=3)
    assert words in str(error.value)


def test_without_the_package_it_is_listed_and_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_installed", lambda name: name != "torchjd")
    assert catalogue("balancing")["torchjd"].absent == ("torchjd",)
    with pytest.raises(
        UserError, match=r"'torchjd' needs torchjd\. Install it with: pip install 'polygraft\[torchjd\]'"
    ):
        registry.make("torchjd", {"weighting": "MGDAWeighting"}, tasks=3)
