"""From a suite's words to its mixture of tables, and to the steps of its epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping

from polygraft.assembly.tables import tasks_of
from polygraft.core.catalogue import catalogue
from polygraft.data.mixing import registry as mixtures
from polygraft.data.mixing.base import Mixture
from polygraft.data.preparation import Prepared
from polygraft.suite.schema import Suite


def mixture(suite: Suite, prepared: Mapping[str, Prepared]) -> Mixture:
    """Which tables a step takes."""
    named = suite.train.mixture
    made = mixtures.make(
        named.name,
        named.settings,
        beside=suite.folder,
        tables=tuple(prepared),
        rows=tuple(len(table.splits["train"]) for table in prepared.values()),
        tasks=tuple(tuple(tasks_of(suite, table)) for table in prepared),
        steps=total_steps(suite, prepared),
    )
    assert isinstance(made, Mixture)
    return made


def total_steps(suite: Suite, prepared: Mapping[str, Prepared]) -> int:
    """Steps of a whole run: the suite's, or those of its epochs.

    Where each step takes every table, an epoch is one of the longest; where it takes one, as many steps as all tables have
    batches: each row once, if tables were drawn by their rows. Where the balancer compares several batches in a step, an epoch
    has as many times fewer steps.
    """
    said = suite.train
    if said.steps:
        return said.steps
    takes = catalogue("data/mixing", suite.folder)[said.mixture.name].facts["takes"]
    batches = catalogue("balancing", suite.folder)[suite.balancer.name].facts["batches"]
    counts = [-(-len(table.splits["train"]) // said.batch_size) for table in prepared.values()]
    return math.ceil((said.epochs or 1.0) * (max(counts) if takes == "all" else sum(counts)) / batches)
