"""What goes wrong in real runs, for every balancer in each of its modes: no gradient, no difference, wild scales, NaN."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from balancing_exceptions import EXCEPTIONS
from balancing_toy import CASES, balancer
from polygraft.balancing.base import Surgery
from polygraft.balancing.gradients import Cut, Gradients, NotFinite, Shards, Tape

every_case = pytest.mark.parametrize(("name", "mode"), CASES)
THREE = ("price", "kind", "sold")
SHARDS, ROWS = 2, 5

Change = Callable[[str, Tensor, Tensor], Tensor]
"""(task, its loss, what it reads of the features) to the loss that is taken."""


class Many(nn.Module):
    """A trunk and as many small heads as there are tasks, all alike in form."""

    def __init__(self, tasks: tuple[str, ...], *, alike: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 8)
        self.heads = nn.ModuleDict({task: nn.Linear(8, 1) for task in tasks})
        if alike:
            for head in self.heads.values():
                head.load_state_dict(self.heads[tasks[0]].state_dict())

    def trunk(self) -> list[nn.Parameter]:
        return [*self.first.parameters(), *self.last.parameters()]

    def engine(self, name: str, mode: str) -> Gradients:
        tasks = tuple(self.heads)
        own = {task: list(self.heads[task].parameters()) for task in tasks}
        shared = [each for each in self.trunk() if each.requires_grad]
        return Gradients(
            balancer(name, tasks), mode=mode, tasks=tasks, shared=shared, own=own, shards=Shards(SHARDS), seed=7, rank=4
        )

    def tapes(self, mode: str, change: Change = lambda _, loss, __: loss, *, alike: bool = False) -> list[Tape]:
        """Each task has targets of its own, but where they are alike."""
        return [self._tape(shard, mode, change, alike) for shard in range(SHARDS)]

    def _tape(self, shard: int, mode: str, change: Change, alike: bool) -> Tape:
        chance = torch.Generator().manual_seed(shard)
        inputs = torch.randn(ROWS, 6, generator=chance)
        a = torch.tanh(self.first(inputs))
        z = self.last(a)
        features = torch.tanh(z)
        aliases: dict[str, tuple[Tensor, ...]] = {}
        losses, targets = {}, torch.randn(ROWS, generator=chance)
        for task, head in self.heads.items():
            read = features
            if cut := mode in ("last_layer", "features"):
                read = features.detach().requires_grad_()
                aliases[task] = (read,)
            losses[task] = change(task, ((head(read)[:, 0] - targets) ** 2).sum(), read)
            targets = targets if alike else torch.randn(ROWS, generator=chance)
        return Tape(losses, dict.fromkeys(losses, float(ROWS)), Cut((features,), aliases, a, z) if cut else None)

    def steps(self, engine: Gradients, mode: str, *, count: int = 3, change: Change | None = None) -> None:
        """Steps of the toy's descent, with what a method wants to see after each."""
        change = change or (lambda _, loss, __: loss)
        for step in range(1, count + 1):
            go(engine, step, lambda: self.tapes(mode, change))
            self.move()
            if engine.observes:
                engine.observe(self.tapes(mode, change), step)

    @torch.no_grad()
    def move(self) -> None:
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter -= 0.01 * parameter.grad / (1 + parameter.grad.norm())


def go(engine: Gradients, step: int, make: Callable[[], list[Tape]]) -> None:
    """A step of as many batches as its method compares, all alike."""
    first, *others = [make() for _ in range(engine.batches_of(step))]
    engine.backward(first, step, independent=others)


def gradients(net: nn.Module) -> dict[str, Tensor]:
    return {name: each.grad.clone() for name, each in net.named_parameters() if each.grad is not None}


def assert_finite(tensors: Mapping[str, Tensor]) -> None:
    assert not [name for name, each in tensors.items() if not each.isfinite().all()]


def assert_sound(net: Many, engine: Gradients) -> None:
    assert_finite(dict(net.state_dict()))
    assert_finite(gradients(net))
    assert_finite(engine.state_dict())


@every_case
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "not reached"])
def test_heads_learn_on_a_trunk_that_gets_no_gradient(name: str, mode: str, frozen: bool) -> None:
    """frozen: its parameters are not trained, so none is shared. Not reached: they are, but the features are cut off."""
    net = Many(THREE)
    if frozen:
        for parameter in net.trunk():
            parameter.requires_grad_(False)
    engine = net.engine(name, mode)
    if not frozen:
        net.last.register_forward_hook(lambda _, __, output: output.detach())
    net.steps(engine, mode)
    assert_sound(net, engine)
    assert all(not each.grad.any() for each in net.trunk() if each.grad is not None)
    assert any(each.grad is not None and each.grad.any() for each in net.heads.parameters())


@every_case
@pytest.mark.parametrize("all_tasks", [True, False], ids=["all tasks", "one task"])
def test_a_loss_of_zero_without_a_gradient_moves_nothing(name: str, mode: str, all_tasks: bool) -> None:
    net = Many(THREE)
    engine = net.engine(name, mode)
    net.steps(engine, mode, change=lambda task, loss, _: loss * (0.0 if all_tasks or task == "kind" else 1.0))
    assert_sound(net, engine)
    assert not net.heads["kind"].weight.grad.any()
    if all_tasks:
        assert not any(each.any() for each in gradients(net).values())


@every_case
@pytest.mark.parametrize("all_tasks", [True, False], ids=["all tasks", "one task"])
def test_a_loss_without_a_slope_moves_nothing(name: str, mode: str, all_tasks: bool) -> None:
    """Its gradient is zero, its value is not: what has been learned to the end."""
    net = Many(THREE)
    engine = net.engine(name, mode)
    net.steps(engine, mode, change=lambda task, loss, _: flat(loss) if all_tasks or task == "kind" else loss)
    assert_sound(net, engine)
    assert not net.heads["kind"].weight.grad.any()
    if all_tasks:
        assert not any(each.any() for each in gradients(net).values())
    elif name not in EXCEPTIONS["a task without a gradient stops no other"]:
        assert all(net.heads[task].weight.grad.any() for task in ("price", "sold"))
        assert any(each.grad.any() for each in net.trunk())


def flat(loss: Tensor) -> Tensor:
    return loss.detach() + 0 * loss


@every_case
def test_a_batch_without_any_label_moves_nothing_and_is_not_remembered(name: str, mode: str) -> None:
    """In the middle of a run: no gradient is left for an optimiser, and the method's state is what it was."""
    net = Many(THREE)
    engine = net.engine(name, mode)
    net.steps(engine, mode)
    before = copy.deepcopy(engine.state_dict())

    def unlabelled() -> list[Tape]:
        return [
            replace(
                tape, losses={task: 0 * each for task, each in tape.losses.items()}, weights=dict.fromkeys(THREE, 0.0)
            )
            for tape in net.tapes(mode)
        ]

    go(engine, 4, unlabelled)
    assert all(each.grad is None for each in net.parameters())
    if engine.observes:
        engine.observe(unlabelled(), 4)
    assert [key for key, each in engine.state_dict().items() if not torch.equal(each, before[key])] == []
    go(engine, 5, lambda: net.tapes(mode))
    assert_sound(net, engine)


@every_case
def test_tasks_that_are_one_and_the_same_are_followed_their_one_way(name: str, mode: str) -> None:
    net = Many(THREE, alike=True)
    engine = net.engine(name, mode)
    for step in (1, 2):
        go(engine, step, lambda: net.tapes(mode, alike=True))
    found = torch.cat([each.grad.flatten() for each in net.trunk() if each.grad is not None])
    losses = [tape.losses["price"] for tape in net.tapes("parameters", alike=True)]
    wanted = torch.cat([each.flatten() for each in torch.autograd.grad(torch.stack(losses).sum(), net.trunk())])
    assert float(torch.cosine_similarity(found, wanted, dim=0)) == pytest.approx(1, abs=1e-4)


@every_case
@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_a_task_a_million_times_the_others_breaks_nothing(name: str, mode: str, factor: float) -> None:
    net = Many(THREE)
    engine = net.engine(name, mode)
    net.steps(engine, mode, change=lambda task, loss, _: loss * (factor if task == "kind" else 1.0))
    assert_sound(net, engine)
    assert any(each.any() for each in gradients(net).values())


@every_case
def test_sixty_four_tasks(name: str, mode: str) -> None:
    tasks = tuple(f"t{k}" for k in range(64)) if name != "fixed" else THREE + tuple(f"t{k}" for k in range(61))
    net = Many(tasks)
    engine = net.engine(name, mode)
    net.steps(engine, mode, count=2)
    assert_sound(net, engine)
    assert any(each.grad is not None and each.grad.any() for each in net.trunk())


def no_number(task: str, loss: Tensor, _: Tensor) -> Tensor:
    return loss * float("nan") if task == "kind" else loss


def endless_slope(task: str, loss: Tensor, read: Tensor) -> Tensor:
    """The loss is what it was; the slope of a root at 0 is not finite."""
    return loss + (read - read.detach()).abs().sqrt().sum() if task == "kind" else loss


@every_case
@pytest.mark.parametrize(("change", "what"), [(no_number, "loss"), (endless_slope, "gradient")])
def test_what_is_not_finite_is_told_and_changes_nothing(name: str, mode: str, change: Change, what: str) -> None:
    """Not a weight, not a gradient that is there, not the balancer's state; and the run may go on from there."""
    net = Many(THREE)
    engine = net.engine(name, mode)
    net.steps(engine, mode)
    before = copy.deepcopy((dict(net.state_dict()), gradients(net), engine.state_dict()))
    with pytest.raises(NotFinite, match=f"step 4: the {what} of .*'kind'.* is not finite") as error:
        go(engine, 4, lambda: net.tapes(mode, change))
    assert error.value.tasks == ("kind",) or (what == "gradient" and mode == "losses")
    for one, other in zip(before, (dict(net.state_dict()), gradients(net), engine.state_dict()), strict=True):
        assert one.keys() == other.keys()
        assert [key for key, each in one.items() if not torch.equal(each, other[key])] == []
    go(engine, 4, lambda: net.tapes(mode))
    assert_sound(net, engine)


@every_case
def test_a_heads_own_gradient_that_is_not_finite_is_told(name: str, mode: str) -> None:
    """Its features' gradient is finite: only the head's own parameters see the slope."""
    net = Many(THREE)
    engine = net.engine(name, mode)
    net.steps(engine, mode)
    before = copy.deepcopy((gradients(net), engine.state_dict()))

    def bent() -> list[Tape]:
        tapes = net.tapes(mode)
        loss = endless_slope("kind", tapes[1].losses["kind"], net.heads["kind"].weight)
        return [tapes[0], replace(tapes[1], losses={**tapes[1].losses, "kind": loss})]

    with pytest.raises(NotFinite, match="step 4: the gradient of 'kind' is not finite"):
        go(engine, 4, bent)
    for one, other in zip(before, (gradients(net), engine.state_dict()), strict=True):
        assert [key for key, each in one.items() if not torch.equal(each, other[key])] == []


@every_case
def test_a_method_that_gives_no_numbers_is_not_followed(name: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Many(THREE)
    engine = net.engine(name, mode)
    net.steps(engine, mode)
    before = gradients(net)
    method = engine.balancer
    what = "weight"
    if isinstance(method, Surgery):
        what = "combined gradient" if mode == "parameters" else "gradient"
        combine = method.combine
        monkeypatch.setattr(method, "combine", lambda tasks: tuple(each * float("nan") for each in combine(tasks)))
    else:
        weigh = method.weigh  # type: ignore[operator]
        monkeypatch.setattr(method, "weigh", lambda tasks: weigh(tasks) * float("nan"))  # type: ignore[operator]
    with pytest.raises(NotFinite, match=f"step 4: the {what} of 'price', 'kind', 'sold' is not finite"):
        go(engine, 4, lambda: net.tapes(mode))
    assert all(torch.equal(each, before[key]) for key, each in gradients(net).items())
