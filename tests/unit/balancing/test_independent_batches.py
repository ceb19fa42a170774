"""Methods that compare independent batches: beside torchjd, what is refused, whose loss is not finite, in anyone's own loop."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor, nn
from torchjd.aggregation import MoDoWeighting, SDMGradWeighting

from polygraft.balancing import registry
from polygraft.balancing.gradients import Gradients, NotFinite, Shards, Tape
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.balancing.own_loop import Balance
from polygraft.core.errors import UserError

TASKS = ("a", "b", "c")


@pytest.mark.parametrize(("name", "peer"), [("modo", MoDoWeighting), ("sdmgrad", SDMGradWeighting)])
def test_weights_are_torchjds_step_after_step(name: str, peer: type[nn.Module]) -> None:
    mine, theirs = registry.make(name, tasks=4), peer()
    chance = torch.Generator().manual_seed(2)
    for _ in range(5):
        one, other = torch.randn(2, 4, 9, generator=chance, dtype=torch.float64) + 0.3
        known = Totals(0, ("a", "b", "c", "d"), (0, 1, 2, 3), (1.0,) * 4, (1.0,) * 4)
        shown = StepGradients(known, 0, Shards(1), gramian=lambda: one @ one.T).crossed(one @ other.T)  # noqa: B023
        torch.testing.assert_close(mine.weigh(shown), theirs(one @ other.T), rtol=1e-6, atol=1e-6)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5))
        self.heads = nn.ModuleDict({task: nn.Linear(5, 1) for task in TASKS})
        self.double()

    def losses(self, seed: int) -> dict[str, Tensor]:
        chance = torch.Generator().manual_seed(seed)
        inputs = torch.randn(7, 4, generator=chance, dtype=torch.float64)
        targets = torch.randn(7, generator=chance, dtype=torch.float64)
        features = self.trunk(inputs)
        return {task: ((head(features)[:, 0] - targets) ** 2).mean() for task, head in self.heads.items()}


def rows(model: Model, losses: dict[str, Tensor], of: list[nn.Parameter]) -> Tensor:
    found = [torch.autograd.grad(loss, of, retain_graph=True) for loss in losses.values()]
    return torch.stack([torch.cat([each.flatten() for each in row]) for row in found])


@pytest.mark.parametrize("mode", ["last_layer", "parameters"])
@pytest.mark.parametrize(("name", "count", "follows"), [("modo", 2, 2), ("sdmgrad", 3, 1)])
def test_an_own_loop_gives_the_losses_of_the_other_batches(mode: str, name: str, count: int, follows: int) -> None:
    model = Model()
    layer = model.trunk[-1] if mode == "last_layer" else None
    balance = Balance(name, shared=model.trunk.parameters(), layer=layer, rank="full", agreement_every=0)
    assert balance.batches == count
    first, *others = [model.losses(seed) for seed in range(count)]
    pairs = [others[0], *((each, dict.fromkeys(TASKS, 7.0)) for each in others[1:])]
    seen = balance.backward(first, independent=pairs)
    again = [model.losses(seed) for seed in range(count)]
    looked_at = list((model.trunk[-1] if layer else model.trunk).parameters())
    one, other = (rows(model, each, looked_at) for each in again[-2:])
    known = Totals(0, TASKS, (0, 1, 2), (1.0,) * 3, (1.0,) * 3)
    shown = StepGradients(known, 0, Shards(1), gramian=lambda: one @ one.T).crossed(one @ other.T)
    weights = registry.make(name, tasks=3).weigh(shown)
    torch.testing.assert_close(seen.weights, weights)
    torch.testing.assert_close(seen.gramian, one @ one.T)
    shared = list(model.trunk.parameters())
    followed = sum(weights @ rows(model, each, shared) for each in again[:follows]) / follows
    torch.testing.assert_close(torch.cat([each.grad.flatten() for each in shared]), followed)  # type: ignore[union-attr]
    head = model.heads["a"].weight
    plain = sum(torch.autograd.grad(each["a"], head)[0] for each in again[:follows]) / follows
    torch.testing.assert_close(head.grad, plain)


def test_too_few_batches_and_too_many_are_refused_with_the_mend() -> None:
    model = Model()
    balance = Balance("sdmgrad", shared=model.trunk.parameters())
    with pytest.raises(
        UserError, match=r"'sdmgrad' compares 3 independent batches a step; this backward was given 1\. Draw as many"
    ):
        balance.backward(model.losses(0))
    plain = Balance("pcgrad", shared=model.trunk.parameters())
    with pytest.raises(
        UserError, match=r"'pcgrad' takes 1 independent batch a step; this backward was given 2\. Leave"
    ):
        plain.backward(model.losses(0), independent=[model.losses(1)])


def test_weights_that_are_reused_need_one_batch() -> None:
    model = Model()
    balance = Balance("modo", shared=model.trunk.parameters(), layer=model.trunk[-1], every=2)
    first = balance.backward(model.losses(0), independent=[model.losses(1)])
    assert balance.batches == 1
    between = balance.backward(model.losses(2))
    assert torch.equal(first.weights, between.weights)  # type: ignore[arg-type]
    assert balance.batches == 2
    with pytest.raises(UserError, match="combines the gradients element by element and has no weights to reuse"):
        Balance("graddrop", shared=model.trunk.parameters(), every=2)


def test_a_loss_that_is_not_finite_names_its_batch() -> None:
    model = Model()
    engine = Gradients(
        registry.make("modo", tasks=3),
        mode="parameters",
        tasks=TASKS,
        shared=list(model.trunk.parameters()),
        own={task: list(head.parameters()) for task, head in model.heads.items()},
        shards=Shards(1),
        seed=0,
    )
    bad = model.losses(1)
    bad["b"] = bad["b"] * float("nan")
    ones = dict.fromkeys(TASKS, 1.0)
    with pytest.raises(NotFinite, match="the loss of 'b' is not finite") as error:
        engine.backward([Tape(model.losses(0), ones)], 0, independent=[[Tape(bad, ones)]])
    assert error.value.batch == 1
    assert pickle.loads(pickle.dumps(error.value)).batch == 1
    assert engine.balancer.weights.tolist() == pytest.approx([1 / 3] * 3)
    assert all(each.grad is None for each in model.parameters())
