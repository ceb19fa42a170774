"""Each task of a suite by itself: the same table, features, settings and steps, another network a task.

    python tests/bench/alone.py SUITE [--set KEY=VALUE] [TASK...]

Prints the test figures of each; of a task of several labels its micro-F1, too. `polygraft compare` asks more and takes more runs.
"""

from __future__ import annotations

import argparse
import json

from micro_f1 import micro_f1

import polygraft as pg


def alone(path: str, overrides: list[str], task: str) -> tuple[dict[str, float], str]:
    """(metrics, the run's folder) of one task without the others, whose targets are still no features."""
    suite = pg.load(path, set=overrides)
    (table,) = suite.data
    others = [column for name, each in suite.tasks.items() if name != task for column in each.targets]
    said = {
        f"data.{table}.drop": [*suite.data[table].drop, *others],
        "tasks": {task: suite.tasks[task].model_dump(exclude_none=True)},
        "train.best": None,
    }
    changes = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in said.items()]
    run = pg.train(pg.load(path, set=[*overrides, *changes]), register=False, progress=False)
    return dict(run.metrics), str(run.folder)


def main() -> None:
    """A line for each task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="?", default="tasks/kanji/suite.yaml")
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    suite = pg.load(given.suite, set=given.set)
    for task in given.tasks or suite.tasks:
        metrics, folder = alone(given.suite, given.set, task)
        several = suite.tasks[task].objective.name == "classification" and len(suite.tasks[task].targets) > 1
        told = metrics | ({f"{task}/micro_f1": micro_f1(folder, task)} if several else {})
        print("alone  " + "  ".join(f"{name} {value:.4f}" for name, value in told.items()), flush=True)


if __name__ == "__main__":
    main()
