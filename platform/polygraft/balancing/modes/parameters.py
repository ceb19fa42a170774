"""Parameters: one row of the shared parameters' gradient for each task; exact, K backward passes.

Each row is reduced to column blocks as soon as its backward is done, while the next one runs; each rank keeps 1/R of
every row. Partial Gramians are summed over the tree of blocks, the method decides, each rank combines its part, one
all-gather. On the wire (K + 1) P (R - 1) / R numbers instead of the 2 K P (R - 1) / R of K all-reduces; in memory
K P / R + 2 P. Where tasks have tables of their own, each backward runs on its own rows only: autograd sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from polygraft.balancing.base import Blocks, Surgery
from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.deposit import deposit_flat, sum_own
from polygraft.balancing.modes.finite import check_gramian
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Mode, head_scales, measured, weigh
from polygraft.balancing.modes.setup import Setup, Totals, local_sums, totals
from polygraft.balancing.modes.step_gradients import StepGradients, inner

Own = list[dict[str, Sequence[pull.Gradient]]]
"""For each of this worker's shards, each task's gradients of its own parameters."""


class Parameters(Mode):
    """For any network; a cut is used where there is one."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        widths = [block.stop - block.start for block in setup.shards.blocks(setup.shared.size)]
        like = torch.empty(0, dtype=setup.dtype, device=setup.shared.device)
        setup.balancer.prepare(len(setup.tasks), widths, like)

    def backward(self, tapes: Sequence[Tape], step: int, *, measure: bool) -> Measured:
        """K backwards; `measure` has nothing to compare: this IS the true Gramian."""
        setup = self.setup
        known = totals(setup, setup.shards.sum(local_sums(setup, tape) for tape in tapes), tapes, step)
        if not known.names:
            return self.rest(known)
        heads = [pull.heads(setup, tape) if tape.cut is not None else None for tape in tapes]
        rows, own = rows_of(setup, known, tapes, heads)
        tasks = StepGradients(known, setup.seed, setup.shards, rows=rows, columns=self._columns)
        check_gramian(known, tasks.gramian)
        summed = sum_own(setup, known, own)
        if isinstance(setup.balancer, Surgery):
            part = setup.balancer.combine(tasks)
            weights, heads_weights = None, setup.balancer.head_weights(tasks).tolist()
        else:
            weights = heads_weights = weigh(setup, known, tasks)
            part = tuple(torch.tensor(weights, dtype=block.dtype, device=block.device) @ block for block in rows)
        whole = setup.shards.gather_columns(torch.cat(part), setup.shared.size)
        if tapes[0].scale != 1:
            whole *= tapes[0].scale
        deposit_flat(setup, known, whole, summed, head_scales(setup, known, heads_weights))
        return measured(known, weights=weights, gramian=tasks.gramian)

    def _columns(self) -> Blocks:
        device = self.setup.shared.device
        blocks = self.setup.shards.blocks(self.setup.shared.size)
        return tuple(torch.arange(block.start, block.stop, device=device) for block in blocks)


def rows_of(
    setup: Setup,
    known: Totals,
    tapes: Sequence[Tape],
    heads: Sequence[pull.Heads | None],
    *,
    keep: bool = False,
) -> tuple[Blocks, Own]:
    """This worker's blocks of the present tasks' mean gradients, [K, width] each, and the heads' gradients.

    keep: the graphs are needed again afterwards.
    """
    own: Own = [{} for _ in tapes]

    def vectors(task: str) -> Iterator[Tensor]:
        last = task == known.names[-1]
        for tape, head, mine in zip(tapes, heads, own, strict=True):
            shared, mine[task] = pull.row(setup, tape, task, head, keep=keep or not last)
            yield setup.shared.flatten(shared)

    pending = [setup.shards.scatter_sum(vectors(task)) for task in known.names]
    slices = setup.shards.blocks(setup.shared.size)
    blocks = tuple(
        torch.empty(len(pending), each.stop - each.start, dtype=setup.dtype, device=setup.shared.device)
        for each in slices
    )
    for k, count in enumerate(known.weights):
        part = pending[k].wait() / (count * tapes[0].scale)
        for block, piece in zip(blocks, torch.split(part, [each.stop - each.start for each in slices]), strict=True):
            block[k] = piece
    return blocks, own


def true_gramian(setup: Setup, known: Totals, tapes: Sequence[Tape], heads: Sequence[pull.Heads | None]) -> Tensor:
    """[K, K] of the shared parameters' gradients, measured beside another mode; the graphs stay."""
    return inner(setup.shards, rows_of(setup, known, tapes, heads, keep=True)[0])
