"""Worker processes over gloo on loopback: each world size is started once and runs every case."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from safetensors.torch import load_file, save_file
from torch import Tensor

from balancing_toy import CASES, SHARDS, train
from polygraft.balancing.gradients import Shards
from ranks import leave

STEPS = 20
Outcome = Mapping[str, Tensor]
REUSED = [("pcgrad", "last_layer"), ("mgda", "parameters"), ("famo", "losses")]
"""With weights that are refreshed every 3 steps: halfway is in the middle of a period."""


BROKEN = STEPS // 2 + 1
"""The step, of reused weights a plain one, before which one of several workers has a loss or a gradient that is no number."""


def run_all(shards: Shards) -> dict[str, Outcome]:
    """By `balancer/mode`: everything a run of STEPS steps leaves, flat."""
    found: dict[str, Outcome] = {"collectives/": collectives(shards)}
    cases = [(each, {}) for each in CASES] + [(each, {"every": 3}) for each in REUSED]
    for (name, mode), options in cases:
        if shards.world == 1:
            left = train(name, mode, shards, range(STEPS), **options)
        else:  # halfway everything is saved, and a fresh start goes on from it
            half = train(name, mode, shards, range(STEPS // 2), **options)
            left = train(name, mode, shards, range(STEPS // 2, STEPS), half, broken=BROKEN, **options)
        ended = {f"{part}:{key}": each for part, mine in left.items() for key, each in mine.items()}
        found[f"{name}/{mode}{'/reused' if options else ''}"] = ended
    return found


def collectives(shards: Shards) -> Outcome:
    """Sums of vectors below and above the size from which columns are scattered, and inner products by block."""
    found = {}
    for size in (1, 5, 100, 40_001):
        vectors = [torch.randn(size, generator=torch.Generator().manual_seed(shard)) for shard in range(shards.total)]
        mine = [vectors[shard] for shard in shards.mine]
        found[f"sum {size}"] = shards.sum(each.clone() for each in mine)
        part = shards.scatter_sum(each.clone() for each in mine)
        found[f"gathered {size}"] = shards.gather_columns(part, size)
        pieces = torch.split(part, [block.stop - block.start for block in shards.blocks(size)])
        found[f"square {size}"] = shards.sum((piece @ piece).double() for piece in pieces)
    return found


def outcomes(world: int) -> list[dict[str, Outcome]]:
    """What each rank of `world` ended with."""
    if world == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return [run_all(Shards(SHARDS))]
        finally:
            torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_rank, (world, folder), nprocs=world)
        flat = [load_file(Path(folder) / f"{rank}.safetensors") for rank in range(world)]
    return [_by_case(each) for each in flat]


def _rank(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world)
    try:
        found = run_all(Shards.here(SHARDS))
        save_file(
            {f"{case}|{key}": each for case, left in found.items() for key, each in left.items()},
            Path(folder) / f"{rank}.safetensors",
        )
    finally:
        dist.destroy_process_group()
    leave()


def _by_case(flat: Mapping[str, Tensor]) -> dict[str, Outcome]:
    found: dict[str, dict[str, Tensor]] = {}
    for name, each in flat.items():
        case, key = name.split("|")
        found.setdefault(case, {})[key] = each
    return found
