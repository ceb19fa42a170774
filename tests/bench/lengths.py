"""What sorting rows by length saves: places that are padding, and the time of steps, with and without `by_length`.

    python tests/bench/lengths.py [--rows 100000] [--steps 200]

Texts whose lengths follow a log-normal law (median 20 words, at most 400), a task on each, one worker of four shards, embeddings
of 64 and a trunk of 256. Both runs are made step by step in turns, on the same model's likes, so that noise meets both.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from polygraft.core.batch import Batch
from polygraft.data.batches import TableStream
from polygraft.data.preparation import prepare
from polygraft.data.spec import TableSpec, TargetSpec

BATCH, SHARDS, POOL = 256, 4, 50


def table(rows: int, folder: Path) -> TableSpec:
    """Texts of made-up words and a number for each."""
    chance = np.random.default_rng(0)
    lengths = np.clip(chance.lognormal(np.log(20), 0.8, rows).astype(int), 1, 400)
    words = np.array([f"w{number}" for number in range(5_000)])
    drawn = words[np.minimum(chance.zipf(1.3, int(lengths.sum())), len(words)) - 1]
    texts = [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
    pd.DataFrame({"text": texts, "y": chance.normal(size=rows)}).to_parquet(folder / "t.parquet")
    encode = {"text": ("text", {"max_length": 400})}
    targets = (TargetSpec("y", ("y",), "number"),)
    return TableSpec("t", ("t.parquet",), folder, columns={"text": "text"}, encode=encode, targets=targets)


class Reader(nn.Module):
    """Each token's embedding through two layers, then their mean: what costs grows with the places of a batch."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, 64)
        self.layers = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
        self.head = nn.Linear(256, 1)

    def loss(self, batch: Batch) -> torch.Tensor:
        mask = batch.inputs["tokens_mask/text"][..., None]
        steps = self.layers(self.embedding(batch.inputs["tokens/text"])) * mask
        outputs = self.head(steps.sum(1) / mask.sum(1).clamp(min=1))
        return torch.nn.functional.mse_loss(outputs.squeeze(1), batch.targets["y"])


class Run:
    """One model that learns from one stream, and what its steps cost."""

    def __init__(self, spec: TableSpec, cache: Path) -> None:
        made = prepare(spec, cache)
        self.stream = TableStream({"t": made}, BATCH, seed=1, shards=range(SHARDS), num_shards=SHARDS).batches(0)
        torch.manual_seed(0)
        self.model = Reader(made.shape.others[0].size)
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.seconds, self.places, self.tokens = 0.0, 0, 0

    def step(self) -> None:
        began = time.perf_counter()
        shards = [each["t"] for each in next(self.stream)]
        for shard in shards:
            self.model.loss(shard).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.seconds += time.perf_counter() - began
        masks = [shard.inputs["tokens_mask/text"] for shard in shards]
        self.places += sum(each.numel() for each in masks)
        self.tokens += sum(int(each.sum()) for each in masks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=200)
    said = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        spec = table(said.rows, Path(name))
        plain, sorted_ = (Run(replace(spec, by_length=pool), Path(name) / "cache") for pool in (0, POOL))
        for _ in itertools.repeat(None, said.steps):
            plain.step()
            sorted_.step()
    for label, run in (("as drawn", plain), (f"by_length: {POOL}", sorted_)):
        print(f"{label:<14} {run.places / run.tokens:.2f} places a token  {run.seconds:6.1f} s for {said.steps} steps")
    print(f"{plain.seconds / sorted_.seconds:.2f}x")


if __name__ == "__main__":
    main()
