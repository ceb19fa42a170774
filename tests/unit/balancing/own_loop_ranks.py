"""What two ranks do with Balance in their own loops; spawned by test_own_loop.py, and run as rank 0 of 1 for comparison."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import distribute_module
from torch.nn.parallel import DistributedDataParallel

from polygraft.balancing.own_loop import Balance
from polygraft.core.errors import UserError
from ranks import leave

ROWS = 11  # rank 0 has 5 of them, rank 1 has 6


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5))
        self.heads = nn.ModuleDict({"late": nn.Linear(5, 1), "delay": nn.Linear(5, 1)})
        self.double()

    def forward(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        features = self.trunk(inputs)
        return features, {task: head(torch.tanh(features))[:, 0] for task, head in self.heads.items()}


def data(step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets, and which rows have the label `delay`; none of rank 0's has it at step 1."""
    chance = torch.Generator().manual_seed(step)
    inputs = torch.randn(ROWS, 4, generator=chance, dtype=torch.float64)
    labelled = torch.ones(ROWS, dtype=torch.bool)
    labelled[: 5 if step == 1 else 1] = False
    return inputs, torch.randn(ROWS, generator=chance, dtype=torch.float64), labelled


def train(method: str, mode: str, rank: int, world: int, ddp: bool = False) -> dict[str, Tensor]:
    """The weights after four steps; the loop is what anyone would write. In DDP, with two micro-batches a step."""
    model = Model()
    wrapped = DistributedDataParallel(model) if ddp else model
    layer = model.trunk[-1] if mode == "last_layer" else None
    balance = Balance(method, shared=model.trunk.parameters(), layer=layer, tasks=["late", "delay"])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mine = range(rank * ROWS // world, (rank + 1) * ROWS // world)
    middle = mine.start + len(mine) // 2
    parts = [slice(mine.start, middle), slice(middle, mine.stop)] if ddp else [slice(mine.start, mine.stop)]
    for step in range(4):
        optimizer.zero_grad()
        for part in parts:
            inputs, targets, labelled = (each[part] for each in data(step))
            features, outputs = wrapped(inputs)
            losses = {
                "late": ((outputs["late"] - targets) ** 2).mean(),
                "delay": (outputs["delay"] - targets)[labelled].abs().mean(),  # NaN where nothing is labelled
            }
            counts = {"late": len(inputs), "delay": int(labelled.sum())}
            balance.backward(losses, counts, features=features if mode == "features" else None, last=part is parts[-1])
        optimizer.step()
    return {key: each.detach().clone() for key, each in model.state_dict().items()}


CASES = [
    ("pcgrad", "last_layer"),
    ("mgda", "parameters"),
    ("graddrop", "features"),
    ("equal", "losses"),
    ("db_mtl", "parameters"),
]


def rank_of_two(rank: int, folder: str) -> None:
    """Saves `<rank>.pt`-free results as text: the weights' sums are compared by the parent from safetensors."""
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    try:
        found = {
            f"{method}/{mode}/{ddp}|{key}": each
            for method, mode in CASES
            for ddp in (False, True)
            for key, each in train(method, mode, rank, 2, ddp).items()
        }
        save_file(found, f"{folder}/{rank}.safetensors")
        said = {case: refused(cause) for case, cause in CAUSES.items()}
        Path(f"{folder}/{rank}.refusals").write_text("".join(f"{case}|{words}\n" for case, words in said.items()))
    finally:
        dist.destroy_process_group()
    leave()


def summed(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {task: each.sum() for task, each in outputs.items()}


def unused_parameters(**options: bool) -> None:
    model = Model()
    outputs = DistributedDataParallel(model, **options)(data(0)[0])[1]
    Balance("mgda", shared=model.trunk.parameters()).backward(summed(outputs))


def unused_behind_features() -> None:
    model = Model()
    features = DistributedDataParallel(model.trunk, find_unused_parameters=True)(data(0)[0])
    losses = {task: head(features).sum() for task, head in model.heads.items()}
    Balance("mgda", shared=model.trunk.parameters()).backward(losses, features=features)


def different_tasks() -> None:
    model = Model()
    outputs = model(data(0)[0])[1]
    names = ["late", "delay"] if dist.get_rank() else ["delay", "late"]
    Balance("mgda", shared=model.trunk.parameters()).backward({task: outputs[task].sum() for task in names})


def different_numbers() -> None:
    model = Model()
    balance = Balance("mgda", shared=model.trunk.parameters())
    for last in [True] if dist.get_rank() == 0 else [False, True]:
        balance.backward(summed(model(data(0)[0])[1]), last=last)


def fully_sharded() -> None:
    model = Model()
    fully_shard(model.trunk, mesh=init_device_mesh("cpu", (2,)))
    Balance("mgda", shared=model.trunk.parameters())


def tensor_parallel() -> None:
    model = Model()
    distribute_module(model.trunk, init_device_mesh("cpu", (2,)))
    Balance("mgda", shared=model.trunk.parameters())


def flat() -> None:
    """FSDP's first version: the graph ends at a flat parameter."""
    model = Model()
    wrapped = FullyShardedDataParallel(model, device_id=torch.device("cpu"), use_orig_params=True)
    Balance("mgda", shared=model.trunk.parameters()).backward(summed(wrapped(data(0)[0])[1]))


CAUSES: dict[str, Callable[[], None]] = {
    "unused parameters": partial(unused_parameters, find_unused_parameters=True),
    "static graph": partial(unused_parameters, static_graph=True),
    "unused parameters behind the features": unused_behind_features,
    "different tasks": different_tasks,
    "different numbers of micro-batches": different_numbers,
    "fully_shard": fully_sharded,
    "tensor parallel": tensor_parallel,
    "FSDP": flat,
}


def refused(cause: Callable[[], None]) -> str:
    try:
        cause()
    except UserError as error:
        return str(error)
    return "accepted"
