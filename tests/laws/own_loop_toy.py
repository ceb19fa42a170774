"""Anyone's own loop over the toy: micro-batches, loss scaling and steps that overflow; two ranks of it over gloo."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from safetensors.torch import load_file, save_file
from torch import Tensor

from balancing_toy import CASES, ROWS, SETTINGS, TASKS, Network, Rows, batch, independent, row_losses
from polygraft import Balance
from ranks import leave

STEPS = 4  # step 3 has no label of `kind`
MICRO = 4  # micro-batches of a step, over all ranks
Bits = dict[str, Tensor]
Part = tuple[Rows, ...]
"""A micro-batch: rows of the step's batch, and of its independent ones."""


class Loop:
    """A network, its balancer, AdamW and, if asked for, a GradScaler."""

    def __init__(self, name: str, mode: str, dtype: torch.dtype, scale: float | None = None) -> None:
        torch.manual_seed(5)
        self.network = Network().to(dtype)
        self.mode, self.dtype = mode, dtype
        self.balance = Balance(
            name,
            shared=self.network.shared(),
            layer=self.network.last if mode == "last_layer" else None,
            tasks=TASKS,
            seed=7,
            rank=4,
            agreement_every=2,
            **SETTINGS.get(name, {}),  # type: ignore[arg-type]
        )
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=0.01)
        self.scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
        self.gramian: Bits = {}

    def losses(self, rows: Rows) -> tuple[Tensor, dict[str, Tensor], dict[str, float]]:
        """The features, the mean losses, and over how much weight they are means; NaN where that is nothing."""
        features = self.network.layer(rows.inputs)[2]
        means, counts = {}, {}
        for task in TASKS:
            each = row_losses(task, self.network.heads[task](features), rows.targets[task]) * rows.weights[task]
            counts[task] = float(rows.weights[task].sum())
            means[task] = each.sum() / rows.weights[task].sum()
        return features, means, counts

    def parts(self, step: int, total: int, mine: range | None = None) -> list[Part]:
        """`total` parts of a step's batches, or those of them that are mine."""
        batches = [batch(step, self.dtype), *independent(step, self.dtype, self.balance.batches)]

        def cut(rows: Rows, i: int) -> Rows:
            return rows.part(i * ROWS // total, (i + 1) * ROWS // total)

        return [tuple(cut(rows, i) for rows in batches) for i in mine or range(total)]

    def step(self, parts: Sequence[Part], spoil: Callable[[dict[str, Tensor]], object] = lambda losses: None) -> bool:
        """What anyone would write. spoil: does something bad to the losses or to the network. Whether it was a step."""
        self.optimizer.zero_grad()
        for part in parts:
            features, losses, counts = self.losses(part[0])
            spoil(losses)
            seen = self.balance.backward(
                losses,
                counts,
                features=features if self.mode == "features" else None,
                independent=[self.losses(rows)[1:] for rows in part[1:]],
                last=part is parts[-1],
                scaler=self.scaler,
            )
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        with torch.no_grad():
            for part in parts:
                self.balance.observe(*self.losses(part[0])[1:], last=part is parts[-1])
        if seen is not None and seen.gramian is not None:
            self.gramian = {"gramian": seen.gramian}
        return seen is not None

    def left(self) -> Bits:
        """Everything that a step may change: weights, moments, the balancer's state and number of steps; and what it saw."""
        state = self.balance.state_dict()
        moments = self.optimizer.state_dict()["state"]
        return {
            **{f"weight:{key}": each.detach().clone() for key, each in self.network.state_dict().items()},
            **{f"moment:{i}/{key}": each.clone() for i, slots in moments.items() for key, each in slots.items()},
            **{f"balancer:{key}": each.clone() for key, each in state["balancer"].items()},
            "steps": torch.tensor(state["steps"]),
            **self.gramian,
        }


def train(name: str, mode: str, rank: int = 0, world: int = 1) -> Bits:
    """STEPS steps of MICRO micro-batches, shared out among the ranks."""
    loop = Loop(name, mode, torch.float32)
    mine = range(rank * MICRO // world, (rank + 1) * MICRO // world)
    for step in range(STEPS):
        loop.step(loop.parts(step, MICRO, mine))
    return loop.left()


def spoiled(name: str, mode: str, rank: int = 0, world: int = 1, *, spoil: bool = True) -> Bits:
    """STEPS steps with a scaler; on the last rank alone, before each but the first, one that overflows somewhere else."""
    loop = Loop(name, mode, torch.float32, scale=1024.0)
    bad = rank == world - 1

    def infinite(parameter: Tensor) -> Callable[[dict[str, Tensor]], object]:
        """The gradient of one parameter overflows, deep in the trunk or in a head: no method sees it."""
        return lambda _: bad and handles.append(parameter.register_hook(lambda gradient: gradient * torch.inf))

    spoils: list[Callable[[dict[str, Tensor]], object]] = [
        infinite(loop.network.first.weight),
        infinite(loop.network.heads["price"].weight),
        lambda losses: bad and losses.update(price=losses["price"] * torch.nan),
    ]
    for step in range(STEPS):
        handles: list[torch.utils.hooks.RemovableHandle] = []
        parts = loop.parts(step, world, range(rank, rank + 1))
        if spoil and step > 0:
            assert not loop.step(parts, spoils[step - 1])
            assert loop.balance.overflow is not None
            assert "price" in loop.balance.overflow.tasks
        for handle in handles:
            handle.remove()
        assert loop.step(parts)
    assert loop.scaler is not None
    assert loop.scaler.get_scale() == (1024.0 / 2 ** (STEPS - 1) if spoil else 1024.0)
    return loop.left()


def two_ranks() -> list[dict[str, Bits]]:
    """What each of two ranks ended with, by `trained` or `spoiled` and balancer and mode."""
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_rank, (folder,), nprocs=2)
        flat = [load_file(Path(folder) / f"{rank}.safetensors") for rank in range(2)]
    found: list[dict[str, Bits]] = [{}, {}]
    for mine, each_rank in zip(found, flat, strict=True):
        for name, each in each_rank.items():
            case, key = name.split("|")
            mine.setdefault(case, {})[key] = each
    return found


def _rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    try:
        found = {}
        for name, mode in CASES:
            found[f"trained {name}/{mode}"] = train(name, mode, rank, 2)
            found[f"spoiled {name}/{mode}"] = spoiled(name, mode, rank, 2)
            found[f"unspoiled {name}/{mode}"] = spoiled(name, mode, rank, 2, spoil=False)
        flat = {f"{case}|{key}": each for case, left in found.items() for key, each in left.items()}
        save_file(flat, Path(folder) / f"{rank}.safetensors")
    finally:
        dist.destroy_process_group()
    leave()
