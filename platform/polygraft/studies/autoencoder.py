"""An autoencoder of a table's encoded rows, Hinton and Salakhutdinov 2006 (https://doi.org/10.1126/science.1127647), without their pretraining by layers.

The encoder is what joint training would share: the suite's stem and trunk, with fresh weights. The decoder is the trunk's layers in
reverse. It has the suite's whole budget: its steps, rows a step, optimiser, schedule and clipping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from polygraft.assembly.learners import stem_of, trunk_of
from polygraft.assembly.mixing import total_steps
from polygraft.assembly.movers import device_of, mover
from polygraft.core.batch import Inputs
from polygraft.core.errors import RunFailed
from polygraft.core.features import Features
from polygraft.core.seeding import counter, seed_torch
from polygraft.data.batches import TableStream
from polygraft.data.preparation import Prepared
from polygraft.models.base import Stem, Trunk
from polygraft.models.heads.dense import Dense
from polygraft.studies.encoder import Encoder
from polygraft.suite.schema import Suite
from polygraft.tracking.base import Tracker
from polygraft.training.optimizers import set_rate
from polygraft.training.schedules import Schedule


class Autoencoder(Encoder):
    """A code as wide as the trunk's features."""

    def __init__(self, stem: Stem, trunk: Trunk) -> None:
        super().__init__()
        self.stem, self.trunk, self.width = stem, trunk, trunk.offer.width

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """[rows, width]."""
        vector = self.trunk(self.stem(inputs)).vector
        assert vector is not None, "an autoencoder's code is a vector"
        return vector  # type: ignore[no-any-return]

    @classmethod
    def fitted(cls, suite: Suite, table: Prepared, tracker: Tracker) -> Self:
        """Raises RunFailed when what it learns is no longer finite."""
        found = cls._fresh(suite, table)
        torch.manual_seed(counter(suite.seed, "decoder"))
        widths = [offer.width for offer in reversed(found.trunk.offers[:-1])]
        decoder = Dense(found.trunk.offer, table.shape.numbers + sum(table.shape.categories), hidden=widths)
        found.steps = _learn(suite, table, nn.ModuleList([found, decoder]), tracker)
        return found

    @classmethod
    def restored(cls, suite: Suite, table: Prepared, state: Mapping[str, Tensor]) -> Self:
        """The one that had this state."""
        found = cls._fresh(suite, table)
        found.load_state_dict(state)
        return found

    @classmethod
    def _fresh(cls, suite: Suite, table: Prepared) -> Self:
        torch.manual_seed(counter(suite.seed, "encoder"))
        stem = stem_of(suite, table.name, table.shape)
        return cls(stem, trunk_of(suite, stem.offer))


def reconstruction(inputs: Mapping[str, Tensor], outputs: Tensor, shape: Inputs) -> Tensor:
    """Mean over rows and columns of what was lost: half the squared error of a number, the cross-entropy of a category in nats.

    outputs: [rows, numbers + levels], the numbers as they are, then each category's logits.
    """
    numbers, *logits = outputs.split([shape.numbers, *shape.categories], 1)
    total = mse_loss(numbers, inputs["numbers"], reduction="sum") / 2 if shape.numbers else outputs.new_zeros(())
    codes = inputs["categories"].long().unbind(1) if shape.categories else ()
    for column, of in zip(codes, logits, strict=True):
        total = total + cross_entropy(of, column, reduction="sum")
    return total / len(outputs) / (shape.numbers + len(shape.categories))


def _learn(suite: Suite, table: Prepared, both: nn.ModuleList, tracker: Tracker) -> int:
    """The suite's steps on the table's training rows; how many they were."""
    said, device = suite.train, device_of(suite)
    encoder, decoder = both.to(device).train()
    moves = mover(suite, both)
    steps = total_steps(suite, {table.name: table})
    schedule = Schedule(said.schedule.name, said.schedule.warmup, said.schedule.floor)
    with closing(_batches(suite, table)) as batches:  # type: ignore[type-var]
        for step in range(steps):
            inputs = {name: each.to(device) for name, each in next(batches).items()}
            seed_torch(suite.seed, step, 0, f"autoencoder {table.name}")
            loss = reconstruction(inputs, decoder(Features(vector=encoder(inputs))), table.shape)
            moves.zero_grad()
            loss.backward()
            if said.clip:
                nn.utils.clip_grad_norm_(both.parameters(), said.clip)
            set_rate(moves, schedule.factor(step, steps))
            moves.step()
            if (said.log_every and (step + 1) % said.log_every == 0) or step + 1 == steps:
                if not loss.isfinite():
                    raise RunFailed(f"step {step + 1}: what the autoencoder of '{table.name}' loses is not finite.")
                tracker.log({f"train/{table.name}/reconstruction": loss.item()}, step + 1)
    both.cpu()
    return steps


def _batches(suite: Suite, table: Prepared) -> Iterator[Mapping[str, Tensor]]:
    """The inputs of each step's rows, the same as a run of the suite draws."""
    stream = TableStream({table.name: table}, suite.train.batch_size, seed=suite.seed, shards=range(1), num_shards=1)
    with closing(stream.batches(0)) as batches:  # type: ignore[type-var]
        for (shard,) in batches:
            yield shard[table.name].inputs
