"""Micro-batches of anyone's own loop as shards of the global batch: rank by rank, each rank's in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import torch
from torch import Tensor

from polygraft.balancing.collectives import Shards
from polygraft.balancing.graphs import Tape
from polygraft.core.errors import fault
from polygraft.core.features import Cut
from polygraft.core.seeding import counter


def micro_batch(losses: Mapping[str, Tensor], counts: Mapping[str, float] | None, cut: Cut | None = None) -> Tape:
    """Local sums and their weights from local means; a task without a label here is left out."""
    weights = {task: 1.0 if counts is None else float(counts.get(task, 0)) for task in losses}
    present = {task: weight for task, weight in weights.items() if weight > 0}
    return Tape({task: losses[task] * weight for task, weight in present.items()}, present, cut)


def numbered(tapes: Sequence[Tape], words: str, device: torch.device) -> list[Tape]:
    """The tapes with the numbers of their first rows in the global batch.

    words: what every rank must have seen alike. Raises UserError on every rank where they differ, in that or in how many
    micro-batches they bring; three numbers a rank are sent.
    """
    shards = Shards.here()
    rows = [len(tape.cut.features[0]) if tape.cut is not None else 0 for tape in tapes]
    mine = torch.tensor([counter(0, words), len(tapes), sum(rows)], device=device)
    seen, brought, held = zip(*shards.gather(mine).tolist(), strict=True)
    if len(set(seen)) > 1:
        raise fault(
            "the ranks' first backward differ in their tasks or in the parameters that they reach. Give every rank "
            "every task's loss, in one order, with count 0 where it has no label."
        )
    if len(set(brought)) > 1:
        raise fault(
            f"the ranks bring {', '.join(map(str, brought))} micro-batches to one step. Give each rank the same number; "
            "one with counts={} weighs nothing."
        )
    starts = accumulate(rows[:-1], initial=sum(held[: shards.rank]))
    return [replace(tape, offset=start) for tape, start in zip(tapes, starts, strict=True)]
