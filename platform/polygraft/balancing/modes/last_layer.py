"""LastLayer: the Gramian of the last shared layer's weight gradients, sketched; about the price of an ordinary step.

Task k's gradient of that layer's weights and bias is [a | 1]^T dz_k, with a [rows, in] the layer's input and dz_k
[rows, width] the task's gradient at its output. Row k is [a Omega | 1]^T dz_k, [rank + 1, width]: Omega [in, rank] holds
fixed random signs over sqrt(rank), E[Omega Omega^T] = 1, so that inner products of rows are unbiased for the layer's.

- Rows ADD over shards and workers, and so do losses and weights: all travel in ONE collective, K (rank + 1) width
  numbers. (The Gramian of averaged rows is not the average of Gramians: 11-28 % off.)
- Then the weights, then one trunk backward from sum_k w_k df_k: the trunk is differentiated once, whatever K.
- Against the Gramian of all shared parameters, mean over training: cosines correlate .84-.91, signs wrong 11-12 %,
  conflicts seen 79-93 %; gradients by the features (`features.py`): census MLP .18, 48 %, 39 %; MNIST MLP .76, 34 %, 45 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.agreement import agreement
from polygraft.balancing.modes.finite import check_gramian
from polygraft.balancing.modes.follow import follow_features
from polygraft.balancing.modes.independent import compared, cross_of_sums, leave_mean, totals_of
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Batches, Mode, measured, rest, weigh
from polygraft.balancing.modes.parameters import true_gramian
from polygraft.balancing.modes.setup import Setup, local_sums, of_means
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.core.features import Cut
from polygraft.core.seeding import torch_generator


class LastLayer(Mode):
    """For tasks that share an input and a last layer."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.omega: Tensor | None = None  # [in, rank]

    def backward(self, batches: Batches, step: int, *, measure: bool) -> Measured:
        """One backward through all heads, one through the trunk; of each batch that is followed."""
        setup = self.setup
        heads = [[pull.heads(setup, tape) for tape in tapes] for tapes in batches]
        looked = compared(len(batches))
        each_shard = zip(zip(*batches, strict=True), zip(*heads, strict=True), strict=True)
        sums = setup.shards.sum(self._summands(tapes, found, looked) for tapes, found in each_shard)
        counted = 2 * len(setup.tasks) * len(batches)
        known = totals_of(setup, sums[-counted:], batches, step)
        if not known[0].names:
            return rest(setup, known[0])
        lines, first = sums[:-counted].view(len(looked), len(setup.tasks), -1), looked[0]
        gramian = of_means((lines[0] @ lines[0].T).double(), known[first])
        check_gramian(known[first], gramian)
        cross = cross_of_sums(lines[0] @ lines[-1].T, known[first], known[-1]) if len(looked) > 1 else None
        if cross is not None:
            check_gramian(known[-1], cross)
        seen = agreement(gramian, true_gramian(setup, known[first], batches[first], heads[first])) if measure else None
        tasks = StepGradients(known[0], setup.seed, setup.shards, gramian=lambda: gramian)
        weights = weigh(setup, known[0], tasks.crossed(cross))
        follows = zip(known, batches, heads, strict=True)
        leave_mean(
            setup,
            [partial(follow_features, setup, *each, weights) for each in islice(follows, setup.balancer.follows)],
        )
        return measured(known[0], weights=weights, gramian=gramian, agreement=seen)

    def _summands(self, tapes: Sequence[Tape], heads: Sequence[pull.Heads], looked: range) -> Tensor:
        """[looked * K (rank + 1) width + batches * 2 K]: one shard's rows, then its losses and weights, batch by batch."""
        setup = self.setup
        counted = torch.cat([local_sums(setup, tape) for tape in tapes])
        lefts = [self._left(tapes[number]) for number in looked]
        sizes = [len(setup.tasks) * len(left) * width for left, width in lefts]
        vector = torch.empty(sum(sizes) + len(counted), dtype=setup.dtype, device=counted.device)
        *places, end = vector.split([*sizes, len(counted)])
        end.copy_(counted)
        for number, place, (left, width) in zip(looked, places, lefts, strict=True):
            self._fill(place.view(len(setup.tasks), -1, width), left, tapes[number].cut, heads[number])
        return vector

    def _fill(self, rows: Tensor, left: Tensor, cut: Cut | None, heads: pull.Heads) -> None:
        """Write [K, rank + 1, width]."""
        assert cut is not None
        to_layer = pull.to_layer(cut)
        for row, task in zip(rows, self.setup.tasks, strict=True):
            dz = to_layer(heads.features[task])
            if dz is None:
                row.zero_()
            else:
                torch.mm(left, as_rows(dz.to(self.setup.dtype)), out=row)

    def _left(self, tape: Tape) -> tuple[Tensor, int]:
        """[a Omega | 1]^T, [rank + 1, rows], contiguous (the products with it are a quarter faster), and the output's width."""
        cut = tape.cut
        assert cut is not None
        assert cut.layer_input is not None
        assert cut.layer_output is not None
        z = cut.layer_output
        a = as_rows(_same_positions(cut.layer_input.detach(), z).to(self.setup.dtype))
        rank = self.setup.rank
        if rank is not None and rank < a.shape[1]:
            if self.omega is None:
                self.omega = sketch(self.setup.seed, a.shape[1], rank).to(a)
            a = a @ self.omega
        left = torch.cat([a.T, a.new_ones(1, len(a))])
        return left if tape.scale == 1 else left.div_(tape.scale), z.shape[1] if z.dim() > 3 else z.shape[-1]


def sketch(seed: int, width: int, rank: int) -> Tensor:
    """[width, rank] random signs over sqrt(rank), fixed by the seed (Achlioptas 2003, database-friendly projections)."""
    signs = torch.randint(0, 2, (width, rank), generator=torch_generator(seed, "omega"), dtype=torch.float64)
    return (2 * signs - 1) / math.sqrt(rank)


def as_rows(tensor: Tensor) -> Tensor:
    """[positions, channels]: every position of a sequence, every pixel of a map counts as a row."""
    if tensor.dim() == 2:
        return tensor
    if tensor.dim() > 3:
        tensor = tensor.movedim(1, -1)
    return tensor.reshape(-1, tensor.shape[-1])


def _same_positions(a: Tensor, z: Tensor) -> Tensor:
    """A convolution's input averaged to its output's positions: what is looked at is the gradient of its centre tap."""
    if a.dim() <= 3 or a.shape[2:] == z.shape[2:]:
        return a
    pool: Callable[[Tensor, Any], Tensor] = adaptive_avg_pool2d if a.dim() == 4 else adaptive_avg_pool3d
    positions: Any = tuple(z.shape[2:])
    return pool(a, positions)
