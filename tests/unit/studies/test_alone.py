"""A task by itself, its table's other tasks at weight 0, against a suite that has no other task."""

from __future__ import annotations

from pathlib import Path

import toy_suite
from polygraft.assembly.job import lay_out, work
from polygraft.assembly.run import Run
from polygraft.studies.variants import by_itself
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite, resolved


def trained(suite: Suite, folder: Path) -> Run:
    folder.mkdir(parents=True)
    lay_out(suite, folder)
    return work(folder, attempt=1)


def test_it_ends_with_the_figures_of_a_suite_that_has_no_other_task(tmp_path: Path) -> None:
    toy_suite.write_table(tmp_path)
    alone = by_itself(toy_suite.toy(tmp_path), "late", 7)
    content = resolved(alone)
    del content["tasks"]["delay"]
    content["data"]["toy"]["drop"] = ["delay"]
    bare = trained(read(content, Origin("suite.yaml", tmp_path, {})), tmp_path / "toy" / "bare")
    mine = trained(alone, tmp_path / "toy" / "alone")
    wanted = {key: value for key, value in bare.metrics.items() if key.startswith("late/")}
    assert wanted == {key: mine.metrics[key] for key in wanted}
    assert wanted
