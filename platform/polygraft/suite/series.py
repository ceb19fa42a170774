"""What a suite's series, its splits and its tasks say against each other; the suite alone is looked at."""

from __future__ import annotations

from collections.abc import Iterator

from polygraft.suite.schema import Suite


def series_faults(suite: Suite) -> Iterator[tuple[str, str]]:
    """(dotted path, what is wrong with it) of what would let a row see its own label, or a part another part's."""
    for name, table in suite.data.items():
        said, path = table.series, f"data.{name}.series"
        if said is None:
            continue
        targets = {column: task for task, each in suite.tasks.items() if name in each.tables for column in each.targets}
        for column, window in said.windows.items():
            if column in targets and window.lag == 0:
                yield (
                    f"{path}.windows.{column}",
                    f"'{column}' is the target of task '{targets[column]}', and a window with lag: 0 ends with the row's own "
                    f"value. Take {{length: {window.length}, lag: 1}}.",
                )
        if said.ahead and table.split.by == "random":
            yield (
                f"{path}.ahead",
                "what lies ahead of a row would mostly be of another part under a random split. Take split: {by: time, column: "
                f"{said.time}}}, or by: group, or by: column.",
            )
