"""What a balanced step costs, counted: passes through the trunk, bytes in memory and on the wire."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from balancing_toy import SETTINGS, SHARDS, Network, batch, gradients, independent, shard_of, tape
from polygraft.balancing import registry
from polygraft.balancing.base import Surgery
from polygraft.balancing.gradients import Cut, Gradients, Measured, Shards, Tape
from ranks import leave


class Counted:
    """An engine on a toy whose trunk's backward passes and whose method's calls are counted."""

    def __init__(self, name: str, mode: str, **options: object) -> None:
        torch.manual_seed(3)
        self.net, self.mode = Network().double(), mode
        self.engine: Gradients = gradients(self.net, name, mode, Shards(SHARDS), **{"agreement_every": 0, **options})
        self.backwards = self.weighed = 0
        self.net.first.register_forward_hook(self._watch)
        asked = "combine" if isinstance(self.engine.balancer, Surgery) else "weigh"
        method = getattr(self.engine.balancer, asked)

        def counting(tasks: object) -> object:
            self.weighed += 1
            return method(tasks)

        setattr(self.engine.balancer, asked, counting)

    def _watch(self, _layer: object, _inputs: object, output: torch.Tensor) -> None:
        def count(_gradient: torch.Tensor) -> None:
            self.backwards += 1

        output.register_hook(count)

    def step(self, number: int) -> Measured:
        """Afterwards `backwards` counts whole passes through the trunk, all shards being one."""
        cut = self.mode in ("last_layer", "features")
        self.backwards = self.weighed = 0
        rows = [batch(number, torch.float64), *independent(number, torch.float64, self.engine.batches_of(number))]
        tapes = [[tape(self.net, shard_of(each, shard), cut=cut) for shard in range(SHARDS)] for each in rows]
        measured = self.engine.backward(tapes[0], number, independent=tapes[1:])
        assert self.backwards % SHARDS == 0
        self.backwards //= SHARDS
        return measured


NUMBER = 4  # bytes of a float32
WIDE = 288  # of the network below: its parameters outweigh all that belongs to rows


class Wide:
    """An engine over a trunk of two wide layers and `tasks` small heads; few rows, one shard a worker."""

    def __init__(self, name: str, mode: str, shards: Shards, tasks: int) -> None:
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(WIDE, WIDE), nn.Tanh(), nn.Linear(WIDE, WIDE))
        self.names = tuple(f"task{k}" for k in range(tasks))
        self.heads = nn.ModuleDict({task: nn.Linear(WIDE, 1) for task in self.names})
        settings = {key: each for key, each in SETTINGS.get(name, {}).items() if name != "fixed"}
        self.shards, self.mode = shards, mode
        self.engine = Gradients(
            registry.make(name, settings, tasks=tasks, names=self.names),
            mode=mode,
            tasks=self.names,
            shared=list(self.trunk.parameters()),
            own={task: list(head.parameters()) for task, head in self.heads.items()},
            shards=shards,
            seed=0,
            agreement_every=0,
        )
        self.shared = sum(each.numel() for each in self.trunk.parameters())
        self.own = sum(each.numel() for each in self.heads.parameters())

    def tapes(self, number: int) -> list[Tape]:
        made = []
        for shard in self.shards.mine:
            inputs = torch.randn(3, WIDE, generator=torch.Generator().manual_seed(100 * number + shard))
            a = self.trunk[:2](inputs)
            z = self.trunk[2](a)
            cut = self.mode in ("last_layer", "features")
            leaves = {task: (z.detach().requires_grad_(),) for task in self.names} if cut else {}
            losses = {task: (head(leaves[task][0] if cut else z) ** 2).sum() for task, head in self.heads.items()}
            made.append(
                Tape(losses, dict.fromkeys(self.names, 3.0), Cut((z,), leaves, a, z) if cut else None, 3 * shard)
            )
        return made

    def step(self, number: int) -> Callable[[], object]:
        """The backward of a step whose forward passes are done."""
        tapes = [self.tapes(1000 * each + number) for each in range(self.engine.batches_of(number))]
        for parameter in (*self.trunk.parameters(), *self.heads.parameters()):
            parameter.grad = None
        return lambda: self.engine.backward(tapes[0], number, independent=tapes[1:])


class Live(TorchDispatchMode):
    """Counts the bytes of storages that were made while it is on and are still there; `most` is the largest count.

    A storage's own weak reference is asked, which knows of every owner, those in gloo's threads included: they let go of
    a tensor a moment after its collective has ended, hence `pause_s` before a new maximum is believed.
    """

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self.most, self.pause_s = 0, pause_s
        self._made: dict[StorageWeakRef, int] = {}
        self._old: set[StorageWeakRef] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {StorageWeakRef(each.untyped_storage()) for each in _tensors((args, kwargs))}
        self._old |= given - self._made.keys()
        found = func(*args, **(kwargs or {}))
        for each in _tensors(found):
            storage = each.untyped_storage()
            if (seen := StorageWeakRef(storage)) not in self._old:
                self._made[seen] = storage.nbytes()
        if self._live() > self.most:
            time.sleep(self.pause_s)
            self.most = max(self.most, self._live())
        return found

    def _live(self) -> int:
        self._made = {each: size for each, size in self._made.items() if not each.expired()}
        return sum(self._made.values())


def _tensors(tree: Any) -> list[Tensor]:
    return [each for each in tree_leaves(tree) if isinstance(each, Tensor)]


def counted(name: str, mode: str, shards: Shards, tasks: int) -> dict[str, int]:
    """Of a second step (the first makes what stays): numbers in memory at most, numbers sent, parameters shared and own."""
    wide = Wide(name, mode, shards, tasks)
    wide.step(1)()
    backward, before = wide.step(2), shards.sent
    with Live(pause_s=0.002 if shards.world > 1 else 0.0) as live:
        backward()
    sent = (shards.sent - before) // NUMBER
    return {"memory": live.most // NUMBER, "sent": sent, "shared": wide.shared, "own": wide.own}


def of_two(cases: list[tuple[str, str, int]]) -> list[list[dict[str, int]]]:
    """By rank of two workers, `counted` of each (name, mode, tasks)."""
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_rank, (folder, cases), nprocs=2)
        return [json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(2)]


def _rank(rank: int, folder: str, cases: list[tuple[str, str, int]]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    try:
        found = [counted(name, mode, Shards.here(), tasks) for name, mode, tasks in cases]
        (Path(folder) / f"{rank}.json").write_text(json.dumps(found))
        dist.barrier()
    finally:
        gc.collect()  # what a dispatch mode saw of a collective holds the group, which then could not end its threads
        dist.destroy_process_group()
    leave()
