"""Parameters: one row of the shared parameters' gradient for each task; exact, K backward passes.

Each row is reduced to column blocks as soon as its backward is done, and before the next one begins: two rows at once, of
which one travels, would be one more P in memory. Each rank keeps 1/R of every row. Partial Gramians are summed over the
tree of blocks, the method decides, each rank combines its part, one all-gather. On the wire (K + 1) P (R - 1) / R numbers
instead of the 2 K P (R - 1) / R of K all-reduces; in memory K P / R + 2 P (of each batch that is compared, where a method
compares two), and one P more for each level of the tree of a worker's own shards. Where tasks have tables of their own,
each backward runs on its own rows only: autograd sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from polygraft.balancing.base import Blocks, Surgery
from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.deposit import deposit_flat, sum_own
from polygraft.balancing.modes.finite import check_gramian
from polygraft.balancing.modes.follow import follow
from polygraft.balancing.modes.independent import compared, cross_of_rows, leave_mean, totals_of
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Batches, Mode, head_scales, measured, rest, weigh
from polygraft.balancing.modes.setup import Setup, Totals, local_sums
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

    def backward(self, batches: Batches, step: int, *, measure: bool) -> Measured:
        """K backwards of each batch that is looked at; `measure` has nothing to compare: this IS the true Gramian."""
        setup = self.setup
        counts = (torch.cat([local_sums(setup, tape) for tape in tapes]) for tapes in zip(*batches, strict=True))
        known = totals_of(setup, setup.shards.sum(counts), batches, step)
        if not known[0].names:
            return rest(setup, known[0])
        follows = range(setup.balancer.follows)
        looked = {
            number: self._look(known[number], batches[number], followed=number in follows)
            for number in compared(len(batches))
        }
        (first, (rows, _)), (last, (others, _)) = next(iter(looked.items())), list(looked.items())[-1]
        cross = cross_of_rows(setup.shards, rows, others) if first != last else None
        tasks = StepGradients(known[0], setup.seed, setup.shards, rows=rows, columns=self._columns)
        check_gramian(known[first], tasks.gramian)
        if cross is not None:
            check_gramian(known[last], cross)
        if isinstance(setup.balancer, Surgery):
            part = setup.balancer.combine(tasks)
            head_weights = setup.balancer.head_weights(tasks).tolist()
            self._put(known[0], part, looked[0][1], head_weights, scale=batches[0][0].scale)
            return measured(known[0], gramian=tasks.gramian)
        weights = weigh(setup, known[0], tasks.crossed(cross))

        def along(number: int) -> None:
            if number not in looked:
                return follow(setup, known[number], batches[number], weights)
            rows, own = looked[number]
            part = tuple(torch.tensor(weights, dtype=block.dtype, device=block.device) @ block for block in rows)
            return self._put(known[number], part, own, weights, scale=batches[number][0].scale)

        leave_mean(setup, [partial(along, number) for number in follows])
        return measured(known[0], weights=weights, gramian=tasks.gramian)

    def _look(self, known: Totals, tapes: Sequence[Tape], *, followed: bool) -> tuple[Blocks, list[Tensor]]:
        """A batch's rows, and, where it is followed, its tasks' own gradients, summed. Raises NotFinite for one that is not."""
        heads = [pull.heads(self.setup, tape) if tape.cut is not None else None for tape in tapes]
        rows, own = rows_of(self.setup, known, tapes, heads)
        return rows, sum_own(self.setup, known, own) if followed else []

    def _put(
        self, known: Totals, part: Blocks, own: list[Tensor], head_weights: Sequence[float], *, scale: float
    ) -> None:
        whole = self.setup.shards.gather_columns(torch.cat(part), self.setup.shared.size)
        if scale != 1:
            whole *= scale
        deposit_flat(self.setup, known, whole, own, head_scales(self.setup, known, head_weights))

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
            flat = setup.shared.flatten(shared)
            del shared  # before the next one, and what travels, is there
            yield flat

    slices = setup.shards.blocks(setup.shared.size)
    widths = [each.stop - each.start for each in slices]
    blocks = tuple(
        torch.empty(len(known.names), width, dtype=setup.dtype, device=setup.shared.device) for width in widths
    )
    for k, (task, count) in enumerate(zip(known.names, known.weights, strict=True)):
        part = setup.shards.scatter_sum(vectors(task))
        for block, piece in zip(blocks, torch.split(part, widths), strict=True):
            torch.div(piece, count * tapes[0].scale, out=block[k])
        del part, piece
    return blocks, own


def true_gramian(setup: Setup, known: Totals, tapes: Sequence[Tape], heads: Sequence[pull.Heads | None]) -> Tensor:
    """[K, K] of the shared parameters' gradients, measured beside another mode; the graphs stay."""
    return inner(setup.shards, rows_of(setup, known, tapes, heads, keep=True)[0])
