"""How many modes a GAN finds, of 8 normal ones on a ring and of 25 on a grid, and how many of its rows lie within 3 deviations of one.

The tables of Lin et al. 2018, PacGAN (https://arxiv.org/abs/1712.04086), section 4.1: ring of radius 1, deviation .01; grid of step 2, .05.
    python tests/bench/gan_modes.py [--seeds 5] [--steps 6000]
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.suite.load import read
from polygraft.suite.origin import Origin

ROWS, DRAWN, LEAST = 20_000, 2_500, 20
CENTRES = {
    "ring": np.array([[math.cos(2 * math.pi * i / 8), math.sin(2 * math.pi * i / 8)] for i in range(8)]),
    "grid": np.array([[x, y] for x in range(-4, 5, 2) for y in range(-4, 5, 2)], float),
}
DEVIATION = {"ring": 0.01, "grid": 0.05}


def suite(folder: Path, table: str, seed: int, steps: int, *, numbers: str = "plain", **gan: object):
    """A GAN alone on a table of two numbers, which the judge reads in this way."""
    raw = {
        "suite": "modes",
        "seed": seed,
        "data": {"rows": {"source": f"{table}.csv", "clean": [], "stem": {"name": "columns", "numbers": numbers}}},
        "backbone": {"name": "mlp", "widths": [64, 64, 64]},
        "tasks": {"drawn": {"data": "rows", "objective": {"name": "gan", "hidden": [64, 64], **gan}}},
        "train": {
            "steps": steps,
            "batch_size": 128,
            "shards": 1,
            "optimizer": {"name": "adamw", "lr": 1e-3, "betas": [0.5, 0.9], "weight_decay": 0.0},
            "schedule": {"name": "linear"},
        },
    }
    return read(raw, Origin("suite.yaml", folder, {}))


def found(table: str, rows: np.ndarray) -> tuple[int, float]:
    """(modes with at least 20 drawn rows within 3 deviations, share of drawn rows that are so near to one)."""
    distances = np.linalg.norm(rows[:, None] - CENTRES[table][None], axis=2)
    near = distances.min(1) < 3 * DEVIATION[table]
    hits = np.bincount(distances.argmin(1)[near], minlength=len(CENTRES[table]))
    return int((hits >= LEAST).sum()), float(near.mean())


def trained(folder: Path, table: str, seed: int, steps: int, **gan: object) -> tuple[int, float]:
    """What a run comes to."""
    said = suite(folder, table, seed, steps, **gan)
    prepared = prepare_tables(said, folder / "cache")
    running = experiment(said, prepared)
    state = running.state(None)
    while state.step < steps:
        running.step.update(state, running.stream)
    objective = state.learner.objective("drawn")
    torch.manual_seed(seed)
    with torch.no_grad():
        units = objective._drawn(objective.average, torch.empty(DRAWN)).numpy()
    encoded, raw = prepared["rows"].inputs["numbers"], pd.read_csv(folder / f"{table}.csv").to_numpy()
    mean, scale = raw.mean(0), raw.std(0) / encoded.std(0)
    return found(table, (units - encoded.mean(0)) * scale + mean)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--seeds", type=int, default=5)
    asked.add_argument("--steps", type=int, default=6_000)
    asked.add_argument("--table", choices=["ring", "grid"])
    asked.add_argument("--loss", default="non_saturating")
    asked.add_argument("--penalty", type=float, default=0.02)
    asked.add_argument("--numbers", default="plain")
    asked.add_argument("--critic-steps", type=int, default=1)
    said = asked.parse_args()
    torch.set_num_threads(1)
    gan = {"latent": 2, "loss": said.loss, "penalty": said.penalty, "critic_steps": said.critic_steps}
    gan["numbers"] = said.numbers
    with TemporaryDirectory() as name:
        for table in [said.table] if said.table else CENTRES:
            chance = np.random.default_rng(0)
            which = chance.integers(0, len(CENTRES[table]), ROWS)
            rows = CENTRES[table][which] + DEVIATION[table] * chance.normal(size=(ROWS, 2))
            pd.DataFrame(rows, columns=["x", "y"]).to_csv(Path(name) / f"{table}.csv", index=False)
            for seed in range(said.seeds):
                began = time.perf_counter()
                modes, share = trained(Path(name), table, seed, said.steps, **gan)
                took = time.perf_counter() - began
                told = f"{modes}/{len(CENTRES[table])} modes  {share:.1%} within 3 deviations"
                print(
                    f"gan  {said.loss} {said.penalty:g} {said.numbers}  {table}  seed {seed}  {told}  {took:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
