"""The runner of Ray tasks: a function for each part of a table, some at once on the cluster's nodes, results in the parts' order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from polygraft.core.errors import RunFailed, UserError

RETRIES = 3
"""How often a part is begun again whose process or node has died; what it had published is not done again."""

Given = TypeVar("Given", bound=object)


class RayRunner:
    """Parts read their files and publish what they make in folders that every node sees, as the workers of a run do anyway.

    ready: waits until Ray is there. at_once: parts at a time; they ask for no CPU of Ray's, for the run's actors may hold all.
    """

    def __init__(self, ready: Callable[[], None], at_once: int) -> None:
        self._ready, self._at_once = ready, max(1, at_once)

    def __call__(self, work: Callable[[int], Given], numbers: range) -> Iterator[Given]:
        """Raises what a part refused; RunFailed for one that died too often, or met what nobody foresaw."""
        self._ready()
        import ray

        begin: Any = ray.remote(num_cpus=0, max_retries=RETRIES, scheduling_strategy="SPREAD")(_part)
        told, rest = ray.put(work), iter(numbers)
        under_way: deque[tuple[int, Any]] = deque()

        def fill(count: int) -> None:
            under_way.extend((number, begin.remote(told, number)) for number in islice(rest, count))

        fill(self._at_once)
        while under_way:
            yield _given(*under_way.popleft())
            fill(1)


def _part(work: Callable[[int], Given], number: int) -> Given:
    return work(number)


def _given(number: int, reference: Any) -> Any:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from None
        raise RunFailed(f"part {number} of a table could not be cleaned:\n{error}") from error
    except RayError as error:
        why = str(error).partition("\n")[0]
        raise RunFailed(f"part {number} of a table died {RETRIES + 1} times while it was cleaned: {why}") from error
