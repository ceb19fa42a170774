"""Loss scaling for half precision (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740, section 3.2) of a balanced step.

Backward passes start from the scale and leave gradients that are that many times too large, for the GradScaler to divide;
what a method sees is divided already. A scale that is a power of two changes exponents alone: not a bit of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from polygraft.balancing.gradients import Gradients, Measured, NotFinite, Tape


def scaled_backward(
    engine: Gradients, tapes: Sequence[Tape], step: int, scaler: torch.amp.GradScaler
) -> Measured | NotFinite:
    """As `engine.backward`, but where a loss or a gradient is not finite, on any worker, NotFinite is returned on all.

    Then the method's state is as it was, and every `.grad` is infinite, so that `scaler.step` skips every optimiser and
    `scaler.update` lowers the scale. Nothing is sent for this: the sums are the same bits on every worker.
    """
    parameters = [*engine.shared, *(each for mine in engine.own.values() for each in mine)]
    scale = float(scaler.scale(torch.ones((), device=parameters[0].device)))
    put_back = engine.snapshot()
    try:
        measured = engine.backward([replace(tape, scale=scale) for tape in tapes], step)
        if _finite(parameters):
            return measured
        broken = tuple(task for task in measured.tasks if not _finite(engine.own.get(task, ())))
        overflow = NotFinite(step, broken or measured.tasks, "gradient", ())
    except NotFinite as error:
        overflow = error
    put_back()
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, torch.inf)
    return overflow


def _finite(parameters: Sequence[Tensor]) -> bool:
    gradients = [each.grad for each in parameters if each.grad is not None]
    return bool(torch.nn.utils.get_total_norm(gradients, torch.inf).isfinite())
