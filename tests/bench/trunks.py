"""Training steps a second of each trunk, by our ordinary step, against the same network of torch's own modules in a bare loop.

    python tests/bench/trunks.py [--pairs 40] [--steps 5] [--clock wall] [--only lstm] [--shards 1]

Ours is all of it: the stream from a prepared table, one task with its missing labels and row weights, `equal` balancing, a schedule,
AdamW. The peer draws rows by a permutation from tensors in memory; forward, mean squared error, backward, AdamW with the same groups.
Both have as many weights, which is checked. Stretches of `steps` steps are timed in turn; medians of the pairs' ratios are printed.
On a machine with other work `--clock cpu` counts the time of all threads of this process.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.data.tables import write
from polygraft.suite.load import load

ROWS = 4_000
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
SUITE = """
suite: bench
seed: 1
data:
  rows: {{source: rows.arrow, columns: {columns}, encode: {encode}, stem: {stem}, split: {{validation: 0.05, test: 0}}}}
backbone: {backbone}
tasks: {{y: {{data: rows, target: y, objective: regression}}}}
train: {{steps: 100000, batch_size: {batch}, shards: {shards}, optimizer: {{name: adamw, lr: 1e-4}}}}
"""


@dataclass(frozen=True)
class Case:
    """shape: of a row's input. peer: makes the network of torch's modules."""

    label: str
    shape: tuple[int, ...]
    batch: int
    backbone: str
    stem: str
    peer: Callable[[], nn.Module]
    columns: str = "{}"
    encode: str = "{}"


class Pixels(nn.Module):
    """Convolutions with group norm, the mean over pixels, a linear layer."""

    def __init__(self, channels: int, *widths: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage, (before, width) in enumerate(pairwise((channels, *widths))):
            layers += [nn.Conv2d(before, width, 3, 1 + (stage > 0), 1), nn.GroupNorm(8, width), nn.ReLU()]
        self.body, self.head = nn.Sequential(*layers), nn.Linear(widths[-1], 1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.body(rows).mean((2, 3)))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """nn.LSTM, a linear layer on its last state."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.body, self.head = nn.LSTM(1, units, batch_first=True), nn.Linear(units, 1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.body(rows)[0][:, -1])  # type: ignore[no-any-return]


class Attending(nn.Module):
    """nn.TransformerEncoder with learned positions, the mean over steps, a linear layer."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.into, self.head = nn.Linear(1, width), nn.Linear(width, 1)
        self.place = nn.Parameter(torch.randn(length, width) * 0.02)
        self.body = nn.TransformerEncoder(layer, 2, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.body(self.into(rows) + self.place).mean(1))  # type: ignore[no-any-return]


def dense(*widths: int) -> nn.Module:
    layers = [part for before, then in pairwise(widths) for part in (nn.Linear(before, then), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1))


def lists(length: int) -> dict[str, str]:
    return {"columns": "{x: list}", "encode": f"{{x: {{name: list, length: {length}}}}}"}


IMAGE, SERIES = "{name: image, offers: maps}", "{name: series, offers: sequence}"
CASES = {
    "mlp": [
        Case("mlp 64-256-128", (64,), 256, "{name: mlp, widths: [256, 128]}", "columns", partial(dense, 64, 256, 128)),
        Case("mlp 256-512x3", (256,), 256, "{name: mlp, widths: [512, 512, 512]}", "columns", partial(dense, 256, *[512] * 3)),
    ],
    "cnn": [
        Case("cnn 1x16x16, 16-32", (1, 16, 16), 64, "{name: cnn, widths: [16, 32]}", IMAGE, partial(Pixels, 1, 16, 32), columns="{x: image}"),
        Case("cnn 1x32x32, 16-32-64", (1, 32, 32), 128, "{name: cnn, widths: [16, 32, 64]}", IMAGE, partial(Pixels, 1, 16, 32, 64), columns="{x: image}"),
    ],
    "lstm": [
        Case("lstm 32 steps, 64", (32, 1), 64, "{name: lstm, widths: [64]}", SERIES, partial(Recurrent, 64), **lists(32)),
        Case("lstm 64 steps, 128", (64, 1), 128, "{name: lstm, widths: [128]}", SERIES, partial(Recurrent, 128), **lists(64)),
    ],
    "transformer": [
        Case("transformer 32 steps, 2 x 32", (32, 1), 64, "{name: transformer, width: 32, max_length: 32}", SERIES, partial(Attending, 32, 32), **lists(32)),
        Case("transformer 64 steps, 2 x 64", (64, 1), 64, "{name: transformer, width: 64, max_length: 64}", SERIES, partial(Attending, 64, 64), **lists(64)),
    ],
}  # fmt: skip
"""Of each trunk a small network, of which a step's fixed price is a large part, and an ordinary one."""


def table(case: Case) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Rows as a file holds them, and as arrays."""
    chance = np.random.default_rng(0)
    x, y = chance.normal(size=(ROWS, *case.shape)).astype(np.float32), chance.normal(size=ROWS).astype(np.float32)
    if len(case.shape) == 1:
        return pa.table({f"x{i}": x[:, i] for i in range(case.shape[0])} | {"y": y}), x, y
    values = chance.integers(0, 256, x.size).astype(np.uint8) if len(case.shape) == 3 else x.reshape(-1)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values), x[0].size)
    return pa.table({"x": lists, "y": y}), x, y


class Ours:
    """The run of a suite, without its evaluations and checkpoints."""

    def __init__(self, case: Case, folder: Path, shards: int) -> None:
        write(table(case)[0], folder / "rows.arrow")
        (folder / "suite.yaml").write_text(SUITE.format(**vars(case), shards=shards))
        suite = load(folder / "suite.yaml")
        self.run = experiment(suite, prepare_tables(suite, folder / "cache"))
        self.state = self.run.state(None)

    def step(self) -> None:
        self.run.step.update(self.state, self.run.stream)

    @property
    def weights(self) -> int:
        return sum(each.numel() for each in self.run.learner.parameters())


class Bare:
    """What anyone writes first."""

    def __init__(self, case: Case) -> None:
        _, x, y = table(case)
        torch.manual_seed(0)
        self.x, self.y, self.batch, self.network = torch.from_numpy(x), torch.from_numpy(y), case.batch, case.peer()
        parts = [[p for p in self.network.parameters() if (p.ndim > 1) == big] for big in (True, False)]
        groups = [{"params": parts[0]}, {"params": parts[1], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
        self.order = torch.randperm(ROWS)
        self.at = 0

    def step(self) -> None:
        if self.at + self.batch > ROWS:
            self.order, self.at = torch.randperm(ROWS), 0
        rows = self.order[self.at : self.at + self.batch]
        self.at += self.batch
        loss = nn.functional.mse_loss(self.network(self.x[rows])[:, 0], self.y[rows])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @property
    def weights(self) -> int:
        return sum(each.numel() for each in self.network.parameters())


def seconds(step: Callable[[], None], steps: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(steps):
        step()
    return clock() - start


def compare(case: Case, given: argparse.Namespace) -> str:
    """One line: how many steps ours takes while the bare loop takes one."""
    clock = CLOCKS[given.clock]
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = Ours(case, Path(folder), given.shards), Bare(case)
        assert ours.weights == bare.weights, (ours.weights, bare.weights)
        for each in (ours, bare):
            seconds(each.step, 3 * given.steps, clock)
        pairs = []
        for number in range(given.pairs):
            both = {}
            for name, each in [("ours", ours), ("bare", bare)][:: 1 if number % 2 else -1]:
                both[name] = seconds(each.step, given.steps, clock)
            pairs.append((both["bare"] / both["ours"], both["ours"], both["bare"]))
    ratio, mine, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return (
        f"trunk steps    {case.label}  batch {case.batch}  {ratio:.2f}x bare  ({given.steps / mine:.0f}/s, bare "
        f"{given.steps / theirs:.0f}/s; {(mine - theirs) / given.steps * 1e3:+.2f} ms a step; {given.pairs} pairs of {given.steps} steps)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--only", choices=sorted(CASES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"# torch {torch.__version__}, 1 thread, {platform.machine()}, one process, {given.shards} shards, {given.clock} clock"
    )
    for name, cases in CASES.items():
        for case in cases if given.only in (None, name) else ():
            print(compare(case, given), flush=True)


if __name__ == "__main__":
    main()
