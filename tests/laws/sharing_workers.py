"""Runs of every way of sharing under the balancing engine, in this process or on spawned workers, which run all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from safetensors.torch import load_file, save_file
from torch import Tensor

from polygraft.balancing import registry
from polygraft.balancing.gradients import Gradients, Shards, Tape, choose_mode
from polygraft.core.catalogue import catalogue
from polygraft.core.seeding import seed_torch
from polygraft.models.network import Network
from ranks import leave
from sharing_toy import KINDS, ROWS, TASKS, TRUNKS, VARIANTS, batch, chosen, losses, network

SHARDS, STEPS = 4, 4
FIRST = [next(i for i, (each, _) in enumerate(VARIANTS) if each == name) for name in catalogue("models/sharing")]
CASES = [
    (number, kind, name)
    for number in FIRST
    for kind, name in zip((KINDS[0], KINDS[0], KINDS[1 + number % 3]), ("equal", "pcgrad", "mgda"), strict=True)
]
"""(variant, trunk, balancer): losses alone, the first mode that is left (last_layer or parameters), and the cut."""
HARD = VARIANTS.index(("hard", {}))
CASES += [(HARD, kind, name) for kind in TRUNKS for name in ("equal", "pcgrad", "mgda")]
DROPS = ("vector", "lstm", "transformer")
"""Trunks with dropout."""


def engine(net: Network, name: str, shards: Shards, mode: str = "auto", **options: Any) -> Gradients:
    facts = catalogue("balancing")[name].facts
    layer = net.last_layer() is not None
    chosen_mode = choose_mode(mode, name, facts, has_cut=net.sharing.cuts, has_layer=layer, one_input=True)  # type: ignore[union-attr]
    return Gradients(
        registry.make(name, tasks=len(TASKS)),
        mode=chosen_mode,
        tasks=TASKS,
        shared=net.shared_parameters(),
        own={task: net.own_parameters(task) for task in TASKS},
        shards=shards,
        seed=7,
        agreement_every=0,
        **options,
    )


def tapes(net: Network, gradients: Gradients, shards: Shards, step: int) -> list[Tape]:
    """The second task has no label in the last two rows."""
    rows, found = batch(seed=step), []
    dtype = next(net.parameters()).dtype
    for shard in shards.mine:
        seed_torch(7, step, shard, "forward")
        first, last = shard * ROWS // shards.total, (shard + 1) * ROWS // shards.total
        part = chosen(rows, torch.arange(first, last), dtype)
        view = net.view({"flights": part}, aliased=gradients.at_cut)
        labelled = {task: torch.ones(last - first, 1, dtype=dtype) for task in TASKS}
        labelled["delay"][max(ROWS - 2 - first, 0) :] = 0
        totals = losses({task: each * labelled[task] for task, each in view.outputs.items()})
        weights = {task: each.sum() for task, each in labelled.items()}
        found.append(Tape(totals, weights, cut=view.cut(), offset=first))
    return found


def train(case: tuple[int, str, str], shards: Shards) -> dict[str, Tensor]:
    """Weights after STEPS steps, and the task's losses of each step. In float32, whose kernels are others, where there is a trunk to try."""
    number, kind, name = case
    net = network(*VARIANTS[number], kind, **({"dropout": 0.2} if kind in DROPS else {}))
    net = net.float() if kind in TRUNKS else net
    gradients = engine(net, name, shards, "features" if name == "mgda" else "auto")
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    told = []
    for step in range(STEPS):
        net.sharing.advance(step / STEPS)  # type: ignore[operator]
        measured = gradients.backward(tapes(net, gradients, shards, step), step)
        optimizer.step()
        told.append(torch.tensor(list(measured.losses.values())))
    return {"losses": torch.stack(told), **{key: each.detach().clone() for key, each in net.state_dict().items()}}


def run_all(shards: Shards) -> dict[str, Tensor]:
    """By `variant|trunk|balancer|what`."""
    found = {}
    for case in CASES:
        for key, each in train(case, shards).items():
            found["|".join([*map(str, case), key])] = each
    return found


def outcomes(world: int) -> list[Mapping[str, Tensor]]:
    """What each of `world` workers ended with."""
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_rank, (world, folder), nprocs=world)
        return [load_file(Path(folder) / f"{rank}.safetensors") for rank in range(world)]


def _rank(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world)
    try:
        save_file(run_all(Shards.here(SHARDS)), Path(folder) / f"{rank}.safetensors")
    finally:
        dist.destroy_process_group()
    leave()


def one_thread(run: Any, *given: Any) -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run(*given)
    finally:
        torch.set_num_threads(threads)
