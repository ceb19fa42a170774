"""Which batches of the stream a joint step takes, when its method compares several."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest
import torch

from polygraft.training.clock import Clock
from polygraft.training.steps.joint import Joint


class Stream:
    """Batches that are their own numbers; `seeks` are the cursors it was asked for."""

    def __init__(self) -> None:
        self.seeks: list[int] = []

    def batches(self, cursor: int, act: object):
        self.seeks.append(cursor)
        return ([{"table": Numbered(number)}] for number in count(cursor))


class Numbered:
    def __init__(self, number: int) -> None:
        self.number = number

    def to(self, _device: torch.device) -> Numbered:
        return self


def drawn(joint: Joint, stream: Stream, step: int, batches: int, wanted: int) -> list[int]:
    gradients = SimpleNamespace(balancer=SimpleNamespace(batches=batches), batches_of=lambda _: wanted)
    state = SimpleNamespace(step=step, gradients=gradients)
    return [shards[0]["table"].number for shards in joint._draw(state, stream)]


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_a_steps_batches_are_a_function_of_its_number_alone(batches: int) -> None:
    joint, stream = Joint(SimpleNamespace(device=torch.device("cpu"), steps=9), Clock()), Stream()
    for step in (0, 1, 2, 7):
        wanted = list(range(step * batches, (step + 1) * batches))
        assert drawn(joint, stream, step, batches, batches) == wanted
    assert stream.seeks == [0, 7 * batches]


def test_batches_that_a_step_does_not_want_are_passed_over_without_a_seek() -> None:
    joint, stream = Joint(SimpleNamespace(device=torch.device("cpu"), steps=9), Clock()), Stream()
    assert [drawn(joint, stream, step, 3, wanted) for step, wanted in enumerate((3, 1, 1, 3))] == [
        [0, 1, 2],
        [3],
        [6],
        [9, 10, 11],
    ]
    assert stream.seeks == [0]
