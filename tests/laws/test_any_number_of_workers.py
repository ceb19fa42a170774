"""Promise 1: 1, 2, 3 and 4 workers end bit-equal, for every balancer in each of its modes.

One worker runs through; several stop halfway, go on from what they saved, and then meet a loss and a gradient that are no numbers in a shard
of one of them: all tell it, and nothing has moved. Every rank gives every step the same weights, and follows the same gradient.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch

from balancing_toy import CASES
from balancing_workers import REUSED, Outcome, outcomes


@cache
def alone() -> dict[str, Outcome]:
    return outcomes(1)[0]


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3, 4])
def test_the_number_of_workers_does_not_change_a_bit(world: int) -> None:
    """One test a number, for its workers are started once and run every case."""
    reused = (f"{name}/{mode}/reused" for name, mode in REUSED)
    assert alone().keys() == {*(f"{name}/{mode}" for name, mode in CASES), *reused, "collectives/"}
    different = {}
    for rank, ended in enumerate(outcomes(world)):
        for case, wanted in alone().items():
            assert ended[case].keys() == wanted.keys()
            if changed := [key for key, each in wanted.items() if not torch.equal(each, ended[case][key])]:
                different[f"{case}, rank {rank} of {world}"] = changed
    assert not different
