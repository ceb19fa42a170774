"""Variants of a suite on its own budget: all tasks jointly in another way, one task by itself, other weights of the losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polygraft.core.catalogue import catalogue
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite, resolved


def jointly(suite: Suite, balancer: str, sharing: str, seed: int) -> Suite:
    """The suite with another balancer and way of sharing, on their defaults where they are not the suite's own."""
    return _changed(suite, {"seed": seed, **_ways(suite, balancer, sharing)})


def by_itself(suite: Suite, task: str, seed: int) -> Suite:
    """One task alone: one trunk, one head, its own tables, the same rows and features in the same order.

    Tasks of the same tables stay with weight 0: they are not learned, and their targets do not become features.
    Its weights are selected by the suite's `best` where that is one of its metrics, else by its improvement over the constant.
    """
    tables = set(suite.tasks[task].tables)
    tasks = {name: {"weight": float(name == task)} for name, each in suite.tasks.items() if set(each.tables) <= tables}
    asked = suite.train.best or ""
    better = metrics_of(suite, task)
    usual = "improvement" if "improvement" in better else next(iter(better), "improvement")
    best = asked if asked.partition("/")[0] == task else f"{task}/{usual}"
    data: dict[str, Any] = {name: {} for name in suite.data if name in tables}
    alone = {} if len(data) == len(suite.data) else {"mixture": {"name": "all"}}  # it may name tables that are gone
    changes = {
        "seed": seed,
        "data": data,
        "tasks": tasks,
        "train": {"best": best, **alone},
        **_ways(suite, "equal", "hard"),
    }
    return _changed(suite, changes)


def weighed(suite: Suite, sharing: str, weights: Mapping[str, float], seed: int) -> Suite:
    """The losses' plain sum, each times its suite's weight times this one."""
    tasks = {name: {"weight": suite.tasks[name].weight * weight} for name, weight in weights.items()}
    return _changed(suite, {"seed": seed, "tasks": tasks, **_ways(suite, "equal", sharing)})


def metrics_of(suite: Suite, task: str) -> dict[str, str]:
    """A task's metrics, `max` or `min` by name, as its objective's facts say."""
    objective = catalogue("objectives", suite.folder).get(suite.tasks[task].objective.name)
    return dict(objective.facts.get("better", {})) if objective else {}


def _ways(suite: Suite, balancer: str, sharing: str) -> dict[str, Any]:
    """Balancer and sharing by name: the suite's own settings where it is the suite's own, else defaults.

    How often agreement is measured, and the sketch's rank, are the suite's in any case.
    """
    own = resolved(suite)
    usual = {key: own["balancer"][key] for key in ("rank", "agreement_every")}
    return {
        "balancer": own["balancer"] if balancer == suite.balancer.name else {"name": balancer, **usual},
        "sharing": own["sharing"] if sharing == suite.sharing.name else {"name": sharing},
    }


def _changed(suite: Suite, changes: Mapping[str, Any]) -> Suite:
    """The suite as a run of the study; under `data` and `tasks` only the named ones stay."""
    content = resolved(suite) | {"suite": f"{suite.suite}-compare", "search": {}}
    for key, value in changes.items():
        if key in ("data", "tasks"):
            content[key] = {name: content[key][name] | change for name, change in value.items()}
        elif key == "train":
            content[key] = content[key] | value
        else:
            content[key] = value
    return read(content, Origin(suite.file, suite.folder, {"": suite.file}))
