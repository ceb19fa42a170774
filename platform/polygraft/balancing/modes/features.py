"""Features: gradients by the features at the cut, sample by sample; the Gramian is a sum over samples.

K x K numbers on the wire, together with losses and weights. Only for methods that are defined there (MGDA-UB, IMTL,
Aligned-UB, GradDrop): an inner product sees only samples that both tasks have labels for, so its off-diagonals are
shrunk by sqrt(share) and mean nothing for tasks labelled on different rows. That is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import torch
from torch import Tensor

from polygraft.balancing.base import Surgery
from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.agreement import agreement
from polygraft.balancing.modes.deposit import OwnGradients, deposit
from polygraft.balancing.modes.finite import check_gramian
from polygraft.balancing.modes.follow import follow_features
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Batches, Mode, head_scales, measured, rest, weigh
from polygraft.balancing.modes.parameters import true_gramian
from polygraft.balancing.modes.setup import Totals, local_sums, of_means, totals
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.core.errors import fault
from polygraft.core.features import Cut

SHARED = 0.5  # of two tasks' labelled rows, at least


class Features(Mode):
    """For tasks that share an input and a cut."""

    def backward(self, batches: Batches, step: int, *, measure: bool) -> Measured:
        """One backward through all heads, one through the trunk."""
        setup, tasks, (tapes,) = self.setup, len(self.setup.tasks), batches
        heads = [pull.heads(setup, tape) for tape in tapes]
        stacks = [self._stack(tape, head) for tape, head in zip(tapes, heads, strict=True)]
        sums = setup.shards.sum(self._summands(tape, stack) for tape, stack in zip(tapes, stacks, strict=True))
        known = totals(setup, sums[tasks**2 :], tapes, step)
        if not known.names:
            return rest(setup, known)
        if step <= 1:  # a property of the data; later steps, and resumed runs, do not ask again
            self._refuse_disjoint(tapes, stacks)
        gramian = of_means(sums[: tasks**2].view(tasks, tasks), known)
        check_gramian(known, gramian)
        seen = agreement(gramian, true_gramian(setup, known, tapes, heads)) if measure else None
        if isinstance(setup.balancer, Surgery):
            self._operate(known, tapes, heads, stacks, gramian)
            return measured(known, gramian=gramian, agreement=seen)
        weights = weigh(setup, known, StepGradients(known, setup.seed, setup.shards, gramian=lambda: gramian))
        follow_features(setup, known, tapes, heads, weights)
        return measured(known, weights=weights, gramian=gramian, agreement=seen)

    def _operate(
        self,
        known: Totals,
        tapes: Sequence[Tape],
        heads: Sequence[pull.Heads],
        stacks: Sequence[Tensor],
        gramian: Tensor,
    ) -> None:
        """Let a Surgery combine the gradients at the features; each shard is a block of columns."""
        setup, balancer = self.setup, self.setup.balancer
        assert isinstance(balancer, Surgery)
        rows = tuple(
            stack[list(known.index)] / torch.tensor(known.weights, dtype=stack.dtype, device=stack.device)[:, None]
            for stack in stacks
        )
        tasks = StepGradients(
            known,
            setup.seed,
            setup.shards,
            gramian=lambda: gramian,
            rows=rows,
            columns=lambda: tuple(_columns(tape) for tape in tapes),
        )
        directions = balancer.combine(tasks)

        def shards() -> Iterator[tuple[Sequence[pull.Gradient], OwnGradients]]:
            for tape, head, direction in zip(tapes, heads, directions, strict=True):
                cut = _cut(tape)
                pieces = torch.split(direction, [each.numel() for each in cut.features])
                shaped = [
                    (piece * tape.scale).view(each.shape).to(each.dtype)
                    for piece, each in zip(pieces, cut.features, strict=True)
                ]
                yield pull.trunk(setup, cut, shaped), head.own

        scales = head_scales(setup, known, balancer.head_weights(tasks).tolist())
        deposit(setup, known, shards(), scales, heads=heads)

    def _stack(self, tape: Tape, head: pull.Heads) -> Tensor:
        """[tasks, rows * width] of one shard, gradients of the local sums, the scale taken out."""
        features = _cut(tape).features
        stack = torch.zeros(
            len(self.setup.tasks),
            sum(each.numel() for each in features),
            dtype=self.setup.dtype,
            device=features[0].device,
        )
        for line, task in zip(stack, self.setup.tasks, strict=True):
            pieces = torch.split(line, [each.numel() for each in features])
            for piece, gradient in zip(pieces, head.features[task], strict=True):
                if gradient is not None:
                    piece.view(gradient.shape).copy_(gradient)
        return stack if tape.scale == 1 else stack.div_(tape.scale)

    def _summands(self, tape: Tape, stack: Tensor) -> Tensor:
        """Float64 [K^2 + 2 K]: the Gramian, the losses, the weights of one shard."""
        return torch.cat([(stack @ stack.T).flatten().double(), local_sums(self.setup, tape).double()])

    def _refuse_disjoint(self, tapes: Sequence[Tape], stacks: Sequence[Tensor]) -> None:
        """Raise UserError where two tasks pull at mostly different rows: shared / sqrt(one * other) < SHARED."""
        common = self.setup.shards.sum(
            _common_rows(_cut(tape), stack) for tape, stack in zip(tapes, stacks, strict=True)
        )
        for i, j in combinations(range(len(self.setup.tasks)), 2):
            both = float(common[i, i] * common[j, j]) ** 0.5
            if both and (share := float(common[i, j]) / both) < SHARED:
                one, other = self.setup.tasks[i], self.setup.tasks[j]
                raise fault(
                    f"gradients: features compares gradients row by row, but '{one}' and '{other}' share only "
                    f"{share:.0%} of their labelled rows (at least {SHARED:.0%} are needed). "
                    "Take gradients: last_layer or parameters where the balancer allows one of them, or another balancer."
                )


def _cut(tape: Tape) -> Cut:
    assert tape.cut is not None, "choose_mode lets a network without a cut have no features mode"
    return tape.cut


def _common_rows(cut: Cut, stack: Tensor) -> Tensor:
    """[tasks, tasks]: rows of the shard where both tasks' gradients are not all zero."""
    pulls = torch.zeros(len(stack), len(cut.features[0]), dtype=torch.bool, device=stack.device)
    for each, piece in zip(cut.features, torch.split(stack, [each.numel() for each in cut.features], 1), strict=True):
        pulls |= (piece.view(len(stack), len(each), -1) != 0).any(-1)
    return pulls.double() @ pulls.double().T


def _columns(tape: Tape) -> Tensor:
    """[rows * width]: row in the GLOBAL batch * width of all features + place in the row."""
    features = _cut(tape).features
    widths = [each[0].numel() if len(each) else 0 for each in features]
    numbers = []
    for i, each in enumerate(features):
        row = torch.arange(tape.offset, tape.offset + len(each), device=each.device)
        place = torch.arange(widths[i], device=each.device) + sum(widths[:i])
        numbers.append((row[:, None] * sum(widths) + place).flatten())
    return torch.cat(numbers)
