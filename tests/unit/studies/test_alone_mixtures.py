"""Which mixture a task's run by itself has: the suite's where its tables are all there, else `all`, which names none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polygraft.core.catalogue import catalogue
from polygraft.studies.plan import Question, complete, trials
from polygraft.studies.variants import by_itself
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite

SETTINGS: dict[str, dict[str, Any]] = {
    "annealed": {"last": 0.5},
    "fixed": {"shares": {"one": 3.0, "two": 1.0}},
    "proportional": {"limit": 99},
    "temperature": {"temperature": 7.0},
}
OF = {"late": "one", "delay": "one", "rain": "two"}
every_mixture = pytest.mark.parametrize("mixture", catalogue("data/mixing").names())


def suite(mixture: str, of: dict[str, str] = OF) -> Suite:
    """Tasks of tables, by name, under a mixture that has settings where it takes some."""
    settings = SETTINGS.get(mixture, {})
    if "shares" in settings:
        settings = {"shares": {table: settings["shares"][table] for table in set(of.values())}}
    raw = {
        "suite": "toy",
        "data": {table: {"source": f"{table}.csv"} for table in dict.fromkeys(of.values())},
        "tasks": {task: {"data": table, "target": task, "objective": "regression"} for task, table in of.items()},
        "train": {"steps": 9, "mixture": {"name": mixture, **settings}},
    }
    return read(raw, Origin("suite.yaml", Path(), {}))


@every_mixture
def test_where_a_table_is_left_out_each_step_takes_the_one_that_stays(mixture: str) -> None:
    for task, table in OF.items():
        alone = by_itself(suite(mixture), task, 7)
        assert list(alone.data) == [table]
        assert (alone.train.mixture.name, dict(alone.train.mixture.settings)) == ("all", {})


@every_mixture
def test_where_no_table_is_left_out_the_mixture_stays_with_its_settings(mixture: str) -> None:
    joint = suite(mixture, {"late": "one", "delay": "one"})
    assert by_itself(joint, "late", 7).train.mixture == joint.train.mixture


@every_mixture
def test_every_run_of_a_comparison_is_a_suite_that_can_be_read(mixture: str) -> None:
    """`fixed` names tables: with a name that is gone no run of the study would begin."""
    joint = suite(mixture)
    found = trials(joint, complete(joint, Question(against=("staged",), seeds=1)))
    for each in found:
        whole = each.arm.kind in ("joint", "static") or each.fits
        assert each.suite.train.mixture == (joint if whole else by_itself(joint, each.tasks[0], 7)).train.mixture
        assert (len(each.suite.data) == 2) == whole
    assert {each.arm.kind for each in found} == {"joint", "single", "static", "staged"}
