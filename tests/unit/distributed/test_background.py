"""What is done aside is done once, and its error is raised where it is waited for."""

from __future__ import annotations

import pytest

from polygraft.distributed.background import Background


def test_it_is_done_once_and_only_when_it_is_wanted():
    done: list[int] = []
    aside = Background(lambda: done.append(1) or len(done), "aside")
    assert done == []
    assert aside.begin() is aside
    assert (aside.result(), aside.result(), aside.settled()) == (1, 1, 1)
    assert done == [1]


def test_its_error_is_raised_where_it_is_waited_for():
    aside = Background(lambda: {}["absent"], "aside")
    assert aside.settled() is None
    with pytest.raises(KeyError, match="absent"):
        aside.result()
