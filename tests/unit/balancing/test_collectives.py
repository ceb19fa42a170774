"""The tree over shards and the blocks of columns, without a network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polygraft.balancing.collectives import Shards, middle, subtrees, tree
from polygraft.core.errors import UserError

totals = st.integers(1, 40)


def written(first: int, last: int) -> str:
    """The tree as a term."""
    return tree(
        (first, last),
        lambda node: str(node[0]) if node[1] - node[0] == 1 else None,
        lambda left, right: f"({left}+{right})",
    )


def test_the_tree_keeps_powers_of_two_whole() -> None:
    assert written(0, 4) == "((0+1)+(2+3))"
    assert written(0, 5) == "(((0+1)+(2+3))+4)"
    assert written(0, 7) == "(((0+1)+(2+3))+((4+5)+6))"
    assert middle((0, 8)) == 4


@given(total=totals, world=st.integers(1, 40))
def test_each_rank_holds_a_range_and_all_ranges_make_the_whole(total: int, world: int) -> None:
    if world > total:
        return
    shards = [Shards(total, rank, world) for rank in range(world)]
    assert [shard for each in shards for shard in each.mine] == list(range(total))
    nodes = [node for each in shards for node in each.nodes[each.rank]]
    assert [shard for first, last in nodes for shard in range(first, last)] == list(range(total))


@given(total=totals, world=st.integers(1, 8), start=st.integers(0, 40))
def test_partial_sums_finish_to_the_same_tree(total: int, world: int, start: int) -> None:
    parts = {}
    for rank in range(world):
        for node in subtrees((0, total), range(rank * total // world, (rank + 1) * total // world)):
            parts[node] = written(*node)
    assert tree((0, total), parts.get, lambda left, right: f"({left}+{right})") == written(0, total)


@given(total=totals, size=st.integers(0, 5000), world=st.integers(1, 8))
def test_blocks_cover_all_columns_in_order(total: int, size: int, world: int) -> None:
    if world > total:
        return
    bounds = Shards(total).bounds(size)
    assert bounds[0] == 0
    assert bounds[-1] == size
    assert bounds == sorted(bounds)
    assert all(bound % 16 == 0 for bound in bounds[:-1] if bound < size)
    assert sum(Shards(total, 0, world).widths(size)) == size


def test_sums_follow_the_tree() -> None:
    numbers = torch.tensor([1e8, 1.0, -1e8, 1.0, 1.0])
    wanted = ((numbers[0] + numbers[1]) + (numbers[2] + numbers[3])) + numbers[4]
    assert Shards(5).sum(each.clone() for each in numbers) == wanted
    lists = Shards(5).sum_lists([each.clone()] for each in numbers)
    assert lists[0] == wanted


def test_alone_nothing_is_sent() -> None:
    shards = Shards(3)
    shards.sum(torch.ones(100_000) for _ in range(3))
    assert shards.sent == 0


def test_more_workers_than_shards_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"4 workers cannot share 3 shards\. Take at most 3 workers, or raise train\.shards\."
    ):
        Shards(3, 0, 4)
