"""What each cleaning step changes: a suite trained with `missing` alone, and with each other step beside it.

    python tests/bench/cleaning_steps.py tasks/census/suite.yaml --steps 300 --seeds 1 2 [--task income] [--group sex]

The table is the suite's first. Test scores are means over the seeds; a step that drops, reweighs or unlabels rows never touches a test row. In this
process, with the suite's own settings but for the steps; nothing is registered.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import polygraft as pg


def variants(task: str | None, group: str | None) -> dict[str, list[dict[str, Any]]]:
    """The steps of each line, by its name; `label_noise` and `reweigh` only where a task, and a group, are said."""
    missing = {"name": "missing"}
    found: dict[str, list[dict[str, Any]]] = {
        "missing": [missing],
        "missing, no indicator": [{"name": "missing", "indicator": False}],
        "missing: most_frequent": [{"name": "missing", "fill": "most_frequent", "levels": "most_frequent"}],
        "outliers": [missing, {"name": "outliers"}],
        "rare_levels": [missing, {"name": "rare_levels", "min_count": 20}],
        "levels": [{"name": "levels"}, missing],
        "duplicates": [{"name": "duplicates"}, missing],
        "outlying_rows": [{"name": "outlying_rows"}, missing],
    }
    if task:
        found["label_noise"] = [{"name": "label_noise", "task": task}, missing]
        if group:
            found["reweigh"] = [{"name": "reweigh", "task": task, "group": group}, missing]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, nargs="?", default=Path("tasks/flights/suite.yaml"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--task")
    parser.add_argument("--group")
    asked = parser.parse_args()
    file = asked.suite.resolve()
    table = next(iter(pg.load(file).data))
    print(f"# {platform.processor() or platform.machine()}, {asked.steps} steps, seeds {asked.seeds}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, steps in variants(asked.task, asked.group).items():
            scores: dict[str, list[float]] = {}
            for seed in asked.seeds:
                changes = {
                    "seed": seed,
                    "train.steps": asked.steps,
                    "train.evaluate_every": 0,
                    f"data.{table}.clean": steps,
                }
                run = pg.train(pg.load(file, set=changes), register=False, progress=False)
                for key, score in run.metrics.items():
                    scores.setdefault(key, []).append(score)
            told = "  ".join(
                f"{key} {mean(each):.4f}"
                for key, each in scores.items()
                if key.split("/")[-1] in ("auc", "accuracy", "r2")
            )
            print(f"{name:<24} {told}", flush=True)


if __name__ == "__main__":
    main()
