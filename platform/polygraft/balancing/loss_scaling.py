"""Loss scaling for half precision (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740, section 3.2) of a balanced step.

Backward passes start from the scale and leave gradients that are that many times too large, for the GradScaler to divide;
what a method sees is divided already. A scale that is a power of two changes exponents alone: not a bit of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from polygraft.balancing.gradients import Gradients, Measured, NotFinite, Tape


def scaled_backward(
    engine: Gradients, batches: Sequence[Sequence[Tape]], step: int, scaler: torch.amp.GradScaler
) -> Measured | NotFinite:
    """As `engine.backward`, but where a loss or a gradient is not finite, on any worker, NotFinite is returned on all.

    Then the method's state is as it was, and every `.grad` is infinite, so that `scaler.step` skips every optimiser and
    `scaler.update` lowers the scale. Nothing is sent for this: the sums are the same bits on every worker.
    """
    parameters = [*engine.shared, *(each for mine in engine.own.values() for each in mine)]
    scale = float(scaler.scale(torch.ones((), device=parameters[0].device)))
    put_back = engine.snapshot()
    try:
        first, *others = [[replace(tape, scale=scale) for tape in tapes] for tapes in batches]
        return engine.backward(first, step, independent=others)
    except NotFinite as overflow:
        put_back()  # what is tracked by column, too, which was stepped where only the scaled sum overflowed
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, torch.inf)
        return overflow
