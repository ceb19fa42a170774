"""A toy that has everything awkward: uneven shards, missing labels, row weights, dropout, an absent task, a dead parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from polygraft.balancing import registry
from polygraft.balancing.base import Balancer
from polygraft.balancing.gradients import Cut, Gradients, NotFinite, Shards, Tape
from polygraft.core.catalogue import catalogue
from polygraft.core.seeding import seed_torch
from required_settings import REQUIRED

TASKS = ("price", "kind", "sold")
SHARDS = 5
ROWS = 23  # 5 shards of 4 or 5 rows
METHODS = catalogue("balancing").names()
CASES = [(name, mode) for name in METHODS for mode in (catalogue("balancing")[name].facts["modes"] or ("losses",))]
"""Every balancer in each of its modes."""
SETTINGS: dict[str, dict[str, object]] = {
    "dwa": {"window": 2},
    "fixed": {"weights": {"price": 2.0, "sold": 0.25}},
    **REQUIRED,
    "stch": {"mu": 0.5, "warmup": 1, "window": 2},
}
"""What the laws set: clocks so short that a few steps see what comes after them."""


class Network(nn.Module):
    """A shared trunk, one head a task; `dead` is shared and reached by no loss."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Linear(6, 40)
        self.last = nn.Linear(40, 20)
        self.dropout = nn.Dropout(dropout)
        self.dead = nn.Parameter(torch.ones(3))
        self.heads = nn.ModuleDict(
            {
                "price": nn.Linear(20, 1),
                "kind": nn.Linear(20, 3),
                "sold": nn.Sequential(nn.Linear(20, 5), nn.Tanh(), nn.Linear(5, 1)),
            }
        )

    def shared(self) -> list[nn.Parameter]:
        return [*self.first.parameters(), *self.last.parameters(), self.dead]

    def own(self) -> dict[str, list[nn.Parameter]]:
        return {task: list(self.heads[task].parameters()) for task in TASKS}

    def layer(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The last shared layer's input and output, and the features behind it."""
        a = self.dropout(torch.tanh(self.first(inputs)))
        z = self.last(a)
        return a, z, torch.tanh(z)


@dataclass(frozen=True)
class Rows:
    """Some rows of a batch. offset: the first one's number in it."""

    inputs: Tensor
    targets: dict[str, Tensor]
    weights: dict[str, Tensor]  # [rows], 0 where the label is missing
    offset: int = 0

    def part(self, start: int, stop: int) -> Rows:
        """Copies, as a worker would hold them: bits may depend on a buffer's address."""

        def cut(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {task: each[start:stop].clone() for task, each in tensors.items()}

        return Rows(self.inputs[start:stop].clone(), cut(self.targets), cut(self.weights), start)


def batch(step: int, dtype: torch.dtype, number: int = 0) -> Rows:
    """Step 3 has no label of `kind` at all; the last shard never has one of `sold`. number: of independent batches."""
    chance = torch.Generator().manual_seed(1000 + step + 10_000 * number)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance, dtype=torch.float64)

    inputs = normal(ROWS, 6)
    weights = {task: (torch.rand(ROWS, generator=chance) < 0.9).double() * (0.5 + normal(ROWS).abs()) for task in TASKS}
    weights["sold"][-ROWS // SHARDS :] = 0
    if step == 3 + number:  # of the step's batches one has a task that another lacks
        weights["kind"][:] = 0
    targets = {
        "price": (inputs[:, 0] * 2 + normal(ROWS)).to(dtype),
        "kind": torch.randint(0, 3, (ROWS,), generator=chance),
        "sold": (inputs[:, 1] + normal(ROWS) > 0).to(dtype),
    }
    return Rows(inputs.to(dtype), targets, {task: each.to(dtype) for task, each in weights.items()})


def shard_of(rows: Rows, shard: int) -> Rows:
    return rows.part(shard * ROWS // SHARDS, (shard + 1) * ROWS // SHARDS)


def independent(step: int, dtype: torch.dtype, count: int) -> list[Rows]:
    """The step's other batches, for methods that compare `count` independent ones."""
    return [batch(step, dtype, number) for number in range(1, count)]


def row_losses(task: str, output: Tensor, target: Tensor) -> Tensor:
    """[rows]."""
    if task == "price":
        return (output[:, 0] - target) ** 2
    if task == "kind":
        return cross_entropy(output, target, reduction="none")
    return binary_cross_entropy_with_logits(output[:, 0], target, reduction="none")


def tape(network: Network, rows: Rows, *, cut: bool, aliases: bool = True) -> Tape:
    """One shard's forward pass. cut: the network names one; aliases: each task reads the features through a leaf."""
    a, z, features = network.layer(rows.inputs)
    read = {task: (features.detach().requires_grad_(),) for task in TASKS} if cut and aliases else {}
    losses = {}
    for task in TASKS:
        output = network.heads[task](read[task][0] if read else features)
        losses[task] = (row_losses(task, output, rows.targets[task]) * rows.weights[task]).sum()
    return Tape(
        losses,
        {task: each.sum() for task, each in rows.weights.items()},
        Cut((features,), read, a, z) if cut else None,
        rows.offset,
    )


def balancer(name: str, tasks: tuple[str, ...] = TASKS) -> Balancer:
    made: Balancer = registry.make(name, SETTINGS.get(name, {}), tasks=len(tasks), names=tasks)
    return made


def gradients(network: Network, name: str, mode: str, shards: Shards, **options: object) -> Gradients:
    return Gradients(
        balancer(name),
        mode=mode,
        tasks=TASKS,
        shared=network.shared(),
        own=network.own(),
        shards=shards,
        seed=7,
        **{"rank": 4, "agreement_every": 5, **options},  # type: ignore[arg-type]
    )


def train(
    name: str,
    mode: str,
    shards: Shards,
    steps: range,
    state: dict[str, dict[str, Tensor]] | None = None,
    broken: int = -1,
    **options: object,
) -> dict[str, dict[str, Tensor]]:
    """Weights, AdamW's moments and the balancer's state after `steps`, and what each step followed; goes on from `state`.

    broken: the step before which one is tried whose last shard, of one worker alone, has a loss or a gradient that is no number.
    """
    torch.manual_seed(5)
    network = Network(dropout=0.3)
    engine = gradients(network, name, mode, shards, **options)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1)
    if state is not None:
        network.load_state_dict(state["weights"])
        engine.load_state_dict(state["balancer"])
        resume(optimizer, state["moments"])
    followed = dict(state["followed"]) if state is not None else {}
    for step in steps:
        first = batch(step, torch.float32)

        def forward(number: int, rows: Rows, step: int = step) -> list[Tape]:
            tapes = []
            for shard in shards.mine:
                seed_torch(7, step, shard, f"dropout {number}")
                tapes.append(tape(network, shard_of(rows, shard), cut=mode != "losses"))
            return tapes

        if step == broken:
            refused(network, engine, step, forward)
        others = enumerate(independent(step, torch.float32, engine.batches_of(step)), 1)
        measured = engine.backward(forward(0, first), step, independent=[forward(*each) for each in others])
        assert network.last.bias.grad is not None
        followed[f"{step}/gradient"] = network.last.bias.grad.clone()
        seen = {"weights": measured.weights, "gramian": measured.gramian}
        followed |= {f"{step}/{what}": each for what, each in seen.items() if each is not None}
        optimizer.step()
        if engine.observes:
            with torch.no_grad():
                engine.observe(forward(0, first), step)
    return {
        "weights": {key: each.detach().clone() for key, each in network.state_dict().items()},
        "moments": {
            f"{i}/{key}": each.clone()
            for i, slots in optimizer.state_dict()["state"].items()
            for key, each in slots.items()
        },
        "balancer": engine.state_dict(),
        "followed": followed,
    }


def refused(network: Network, engine: Gradients, step: int, forward: Callable[[int, Rows], list[Tape]]) -> None:
    """Try the step with what is no number in the last shard of its first batch."""
    for spoil in (no_number, endless_slope):
        first, *others = [
            forward(number, batch(step, torch.float32, number)) for number in range(engine.batches_of(step))
        ]
        if engine.shards.mine[-1] == SHARDS - 1:
            first[-1] = spoil(network, first[-1])
        with pytest.raises(NotFinite):
            engine.backward(first, step, independent=others)


def no_number(network: Network, good: Tape) -> Tape:
    return replace(good, losses={**good.losses, "price": good.losses["price"] * torch.nan})


def endless_slope(network: Network, good: Tape) -> Tape:
    """The loss is what it was; the slope of a root at 0, by the head's own weights, is not finite."""
    weight = network.heads["price"].weight
    bent = (weight - weight.detach()).abs().sqrt().sum()  # type: ignore[union-attr,operator]
    return replace(good, losses={**good.losses, "price": good.losses["price"] + bent})


def resume(optimizer: torch.optim.Optimizer, moments: dict[str, Tensor]) -> None:
    slots: dict[int, dict[str, Tensor]] = {}
    for key, each in moments.items():
        number, slot = key.split("/")
        slots.setdefault(int(number), {})[slot] = each.clone()
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
