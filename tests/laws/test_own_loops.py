"""Laws of Balance, for every balancer in each of its modes: micro-batches are shards, and a loss scale is invisible."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from balancing_toy import CASES, METHODS
from own_loop_toy import MICRO, Bits, Loop, spoiled, train, two_ranks
from polygraft.balancing.base import Surgery
from polygraft.core.catalogue import catalogue

every_case = pytest.mark.parametrize(("name", "mode"), CASES)


def assert_equal(found: Bits, wanted: Bits) -> None:
    assert found.keys() == wanted.keys()
    assert not [key for key, each in wanted.items() if not torch.equal(found[key], each)]


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Bits]]:
    return two_ranks()


@every_case
def test_micro_batches_equal_one_batch_also_where_their_number_changes(name: str, mode: str) -> None:
    ends = []
    for numbers in ((1, 1, 1, 1, 1), (1, 2, 5, 3, 3)):
        loop = Loop(name, mode, torch.float64)
        for step, number in enumerate(numbers):
            loop.step(loop.parts(step, number))
        ends.append(loop.left())
    assert ends[0].keys() == ends[1].keys()
    for key, each in ends[0].items():
        torch.testing.assert_close(
            ends[1][key], each, rtol=1e-12, atol=1e-12, msg=lambda text, key=key: f"{key}: {text}"
        )


@pytest.mark.slow
@every_case
def test_ranks_with_micro_batches_equal_one_process_with_all_of_them_bit_for_bit(
    name: str, mode: str, ranks: list[dict[str, Bits]]
) -> None:
    wanted = train(name, mode)
    for rank in range(2):
        assert_equal(ranks[rank][f"trained {name}/{mode}"], wanted)


@every_case
def test_a_scale_that_is_a_power_of_two_changes_no_bit(name: str, mode: str) -> None:
    ends = []
    for given in (None, 2.0**16):
        loop = Loop(name, mode, torch.float32, given)
        for step in range(4):
            assert loop.step(loop.parts(step, 2))
        ends.append(loop.left())
    assert_equal(*ends)


@pytest.mark.parametrize("name", [name for name in METHODS if catalogue("balancing")[name].facts["tracked"]])
def test_what_is_tracked_by_column_is_put_back_when_the_method_itself_overflows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tasks' gradients are finite, what the method makes of them is not; its moving averages were stepped by then."""
    ends = []
    for spoil in (False, True):
        loop = Loop(name, "parameters", torch.float32, 2.0**10)
        for step in range(3):
            parts = loop.parts(step, 2)
            if spoil and step > 0:
                assert loop.balance.engine is not None
                balancer = loop.balance.engine.balancer
                way = "combine" if isinstance(balancer, Surgery) else "weigh"
                whole = getattr(balancer, way)
                with monkeypatch.context() as patch:
                    patch.setattr(balancer, way, lambda tasks, whole=whole: infinite(whole(tasks)))
                    assert not loop.step(parts)
            assert loop.step(parts)
        ends.append(loop.left())
    assert_equal(*ends)


def infinite(made: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    return made * torch.inf if isinstance(made, Tensor) else tuple(each * torch.inf for each in made)


@every_case
def test_a_step_that_overflows_changes_nothing(name: str, mode: str) -> None:
    assert_equal(spoiled(name, mode), spoiled(name, mode, spoil=False))


@pytest.mark.slow
@every_case
def test_a_step_that_overflows_on_one_rank_changes_nothing_on_any(
    name: str, mode: str, ranks: list[dict[str, Bits]]
) -> None:
    for rank in range(2):
        assert_equal(ranks[rank][f"spoiled {name}/{mode}"], ranks[0][f"unspoiled {name}/{mode}"])


def test_there_are_as_many_micro_batches_as_the_ranks_share_out() -> None:
    assert MICRO % 2 == 0
