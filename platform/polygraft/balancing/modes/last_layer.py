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
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from polygraft.balancing.graphs import Tape
from polygraft.balancing.modes import pull
from polygraft.balancing.modes.agreement import agreement
from polygraft.balancing.modes.finite import check_gramian
from polygraft.balancing.modes.measured import Measured
from polygraft.balancing.modes.mode import Mode, follow_features, measured, weigh
from polygraft.balancing.modes.parameters import true_gramian
from polygraft.balancing.modes.setup import Setup, Totals, local_sums, of_means, totals
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.core.features import Cut
from polygraft.core.seeding import torch_generator


class LastLayer(Mode):
    """For tasks that share an input and a last layer."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.omega: Tensor | None = None  # [in, rank]

    def backward(self, tapes: Sequence[Tape], step: int, *, measure: bool) -> Measured:
        """One backward through all heads, one through the trunk."""
        setup = self.setup
        heads = [pull.heads(setup, tape) for tape in tapes]
        sums = setup.shards.sum(self._summands(tape, head) for tape, head in zip(tapes, heads, strict=True))
        counted = 2 * len(setup.tasks)
        known = totals(setup, sums[-counted:], tapes, step)
        if not known.names:
            return self.rest(known)
        gramian = self._gramian(sums[:-counted], known)
        check_gramian(known, gramian)
        seen = agreement(gramian, true_gramian(setup, known, tapes, heads)) if measure else None
        weights = weigh(setup, known, StepGradients(known, setup.seed, setup.shards, gramian=lambda: gramian))
        follow_features(setup, known, tapes, heads, weights)
        return measured(known, weights=weights, gramian=gramian, agreement=seen)

    def _summands(self, tape: Tape, head: pull.Heads) -> Tensor:
        """[K (rank + 1) width + 2 K]: the rows, the losses, the weights of one shard."""
        cut, setup = tape.cut, self.setup
        assert cut is not None
        assert cut.layer_input is not None
        left, width = self._left(cut)
        if tape.scale != 1:
            left = left / tape.scale
        counted = local_sums(setup, tape)
        size = left.shape[1] * width
        vector = torch.empty(len(setup.tasks) * size + len(counted), dtype=setup.dtype, device=left.device)
        vector[len(vector) - len(counted) :] = counted
        to_layer = pull.to_layer(cut)
        for k, task in enumerate(setup.tasks):
            row, dz = vector[k * size : (k + 1) * size].view(-1, width), to_layer(head.features[task])
            if dz is None:
                row.zero_()
            else:
                torch.mm(left.T, as_rows(dz.to(setup.dtype)), out=row)
        return vector

    def _left(self, cut: Cut) -> tuple[Tensor, int]:
        """[a Omega | 1], [rows, rank + 1], and the width of the layer's output."""
        assert cut.layer_input is not None
        assert cut.layer_output is not None
        z = cut.layer_output
        a = as_rows(_same_positions(cut.layer_input.detach(), z).to(self.setup.dtype))
        rank = self.setup.rank
        if rank is not None and rank < a.shape[1]:
            if self.omega is None:
                self.omega = sketch(self.setup.seed, a.shape[1], rank).to(a)
            a = a @ self.omega
        return torch.cat([a, a.new_ones(len(a), 1)], 1), z.shape[1] if z.dim() > 3 else z.shape[-1]

    def _gramian(self, rows: Tensor, known: Totals) -> Tensor:
        """[K, K] of the present tasks' mean losses, float64; each worker has whole rows and computes the same."""
        lines = rows.view(len(self.setup.tasks), -1)
        return of_means((lines @ lines.T).double(), known)


def sketch(seed: int, width: int, rank: int) -> Tensor:
    """[width, rank] random signs over sqrt(rank), fixed by the seed (Achlioptas 2003, database-friendly projections)."""
    signs = torch.randint(0, 2, (width, rank), generator=torch_generator(seed, "omega"), dtype=torch.float64)
    return (2 * signs - 1) / math.sqrt(rank)


def as_rows(tensor: Tensor) -> Tensor:
    """[positions, channels]: every position of a sequence, every pixel of a map counts as a row."""
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
