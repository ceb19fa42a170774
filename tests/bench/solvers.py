"""What a method's weights cost once the Gramian is there, beside torchjd's weighting of the same Gramian in the same run.

    python tests/bench/solvers.py [--repeats 200]

Three Gramians for each K: `wide`, K independent gradients of 200 columns; `square`, K gradients of K columns with lengths
drawn over two orders of magnitude; `low rank`, of rank K / 2. Asked: K = 10 in 150 us, K = 40 in 2 ms. torchjd's peers
that want cvxpy or qpsolvers are timed where those are installed.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torchjd import aggregation as peers

from polygraft.balancing import registry
from polygraft.balancing.collectives import Shards
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients

PEERS: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
    "mgda": peers.MGDAWeighting,
    "pcgrad": peers.PCGradWeighting,
    "gradvac": peers.GradVacWeighting,
    "cagrad": lambda: peers.CAGradWeighting(c=0.4),
    "imtl_g": peers.IMTLGWeighting,
    "aligned_mtl": peers.AlignedMTLWeighting,
    "upgrad": peers.UPGradWeighting,
    "dualproj": peers.DualProjWeighting,
    "fairgrad": lambda: peers.FairGradWeighting(alpha=1.0),
}
METHODS = (*PEERS, "imtl", "nash_mtl", "config", "gradnorm")
ASKED_US = {10: 150, 40: 2000}


def gramians(tasks: int) -> dict[str, Tensor]:
    chance = np.random.default_rng(tasks)
    rank = max(1, tasks // 2)
    made = {
        "wide": chance.normal(size=(tasks, 200)),
        "square": chance.normal(size=(tasks, tasks)) * chance.lognormal(0, 1, (tasks, 1)),
        "low rank": chance.normal(size=(tasks, rank)) @ chance.normal(size=(rank, 200)),
    }
    return {kind: torch.from_numpy(rows @ rows.T) for kind, rows in made.items()}


def median_us(work: Callable[[], object], repeats: int) -> float:
    took = []
    end = time.perf_counter() + 2.0  # a slow peer gets as many as fit
    while len(took) < repeats and (time.perf_counter() < end or not took):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


def theirs(name: str, gramian: Tensor, repeats: int) -> str:
    try:
        peer = PEERS[name]() if name in PEERS else None
    except ImportError as error:
        return f"not installed: {str(error).partition('requires ')[2].partition(' to be')[0]}"
    return "no peer" if peer is None else f"{median_us(lambda: peer(gramian), repeats):.0f} us"


def ours(name: str, gramian: Tensor, repeats: int) -> float:
    tasks = len(gramian)
    totals = Totals(0, tuple(map(str, range(tasks))), tuple(range(tasks)), (1.0,) * tasks, (1.0,) * tasks)
    balancer = registry.make(name, tasks=tasks)
    return median_us(
        lambda: balancer.weigh(StepGradients(totals, 0, Shards(1), gramian=lambda: gramian)),
        repeats,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torchjd's, on conversions
    print(f"weights from a Gramian  {platform.machine()}  one thread  median of up to {repeats}")
    for tasks in (2, 10, 40):
        for kind, gramian in gramians(tasks).items():
            for name in METHODS:
                mine = ours(name, gramian, repeats)
                beyond = "  BEYOND" if mine > ASKED_US.get(tasks, 1e9) else ""
                print(
                    f"K={tasks:<3} {kind:<9} {name:<12} {mine:7.0f} us  torchjd {theirs(name, gramian, repeats)}{beyond}"
                )


if __name__ == "__main__":
    main()
