"""One page about how tasks help each other: both ways to measure it as heat maps, and the networks to train."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from polygraft.core.atomic import write_text
from polygraft.report.charts import heat_map, number
from polygraft.report.page import grid, page, section, table

Square = Sequence[Sequence[float]]


class Network(NamedTuple):
    """Tasks that are trained together. score: the sum over them of the mean affinity from the others."""

    tasks: tuple[str, ...]
    score: float


def write_affinity_report(
    path: Path,
    suite: str,
    words: str,
    /,
    tasks: Sequence[str],
    squares: Mapping[str, Square],
    *,
    networks: Sequence[Network],
) -> None:
    """Write the page. words: what was measured. squares: by title, [K, K] shares, lines whose gradient, columns whose loss."""
    rows = [
        (str(count), ", ".join(each.tasks), number(100 * each.score)) for count, each in enumerate(networks, start=1)
    ]
    caption = "Score: the sum over tasks of the mean affinity from the others of the network, %."
    maps = grid([_map(title, tasks, square) for title, square in squares.items()])
    told = "By how much of its loss a step along the line's gradient of the shared parameters lowers the column's task."
    sections = [
        section("Affinity", maps, words=told),
        section("Networks", table(caption, ("network", "tasks", "score"), rows, words=2)),
    ]
    write_text(path, page(f"{suite}: affinity of tasks", words, sections))


def _map(title: str, tasks: Sequence[str], square: Square) -> str:
    """Of different tasks: a task's own gain, by far the largest, would leave the others without colour."""
    told = {(i, j): 100 * square[m][n] for m, i in enumerate(tasks) for n, j in enumerate(tasks) if m != n}
    most = max((abs(each) for each in told.values() if math.isfinite(each)), default=0.0) or 1.0
    return heat_map(
        f"{title}, 1.00 = {number(most)} %", tasks, {pair: each / most for pair, each in told.items()}, between="onto"
    )
