"""What a suite's tables, its mixture and its balancer say against each other; the suite alone is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from polygraft.core.catalogue import Catalogue
from polygraft.core.errors import nearest
from polygraft.suite.schema import Suite

_CUTS = ("last_layer", "features")  # modes that want one cut, and so one table, for all tasks


def mixing_faults(suite: Suite, tables: Sequence[str], rooms: Mapping[str, Catalogue]) -> Iterator[tuple[str, str]]:
    """(dotted path, what is wrong with it). tables: the names in the text, those of faulty sections too."""
    read = {table for task in suite.tasks.values() for table in task.tables}
    if read and read <= suite.data.keys():
        for table in suite.data.keys() - read:
            yield f"data.{table}", "no task learns from this table. Give it one, or take it out."
    yield from _shares(suite, tables, rooms["data/mixing"])
    if len(read) > 1:
        yield from _balancer(suite, rooms)


def _shares(suite: Suite, tables: Sequence[str], mixtures: Catalogue) -> Iterator[tuple[str, str]]:
    """A setting by table knows every table, each with more than nothing."""
    mixture = suite.train.mixture
    if mixture.name not in mixtures or mixtures.problems(mixture.name, mixture.settings):
        return
    has = f"data has {', '.join(tables)}."
    for key in mixtures[mixture.name].facts.get("by_table", ()):
        path, given = f"train.mixture.{key}", mixture.settings[key]
        for table in [name for name in given if name not in tables]:
            yield f"{path}.{table}", f"there is no table '{table}'.{nearest(table, tables)} {has}"
        for table in tables:
            if table not in given:
                yield path, f"'{table}' is missing, so no step would take that table. Give it a number above 0."
            elif given[table] == 0:
                mend = "Give it a number above 0, or take it out of data."
                yield f"{path}.{table}", f"with 0 no step would take this table. {mend}"


def _balancer(suite: Suite, rooms: Mapping[str, Catalogue]) -> Iterator[tuple[str, str]]:
    """Tasks of several tables have no cut in common; and two of them must meet in a step to be compared."""
    said, balancer = suite.balancer, rooms["balancing"].get(suite.balancer.name)
    if balancer is None or balancer.facts.get("needs") == "losses":
        return
    modes = balancer.facts.get("modes", ())
    if "parameters" not in modes:
        yield (
            "balancer",
            f"'{said.name}' works in {' or '.join(modes)} alone, which wants one table for all tasks; these read several. "
            "Take a balancer that works in parameters.",
        )
    elif said.gradients in _CUTS and said.gradients in modes:
        yield (
            "balancer.gradients",
            f"{said.gradients} wants one table for all tasks; these read several. Take auto, or parameters.",
        )
    mixture = rooms["data/mixing"].get(suite.train.mixture.name)
    takes_one = mixture is not None and mixture.facts.get("takes") == "one"
    batches = balancer.facts.get("batches", 1)
    if takes_one and batches > 1:
        yield (
            "balancer",
            f"'{said.name}' compares {batches} batches of the same tables in a step, but train.mixture: {suite.train.mixture.name} "
            "draws one table for each. Take mixture: all, or another balancer.",
        )
    tasks = [sum(table in task.tables for task in suite.tasks.values()) for table in suite.data]
    if takes_one and max(tasks, default=0) == 1:
        yield (
            "balancer",
            f"'{said.name}' compares the tasks of a step, but train.mixture: {suite.train.mixture.name} takes one table a step, and each has "
            "one task alone. Take mixture: all, or a balancer on losses.",
        )
