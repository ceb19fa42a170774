"""What a suite's figures are held against: scikit-learn's HistGradientBoosting on the same rows, and each task alone.

    python tests/bench/reference.py [SUITE...] [--set KEY=VALUE] [--train] [--seeds 1 2 3]

Boosting sees the columns of the suite's table, uncleaned, and the suite's own split. With --train the suite itself is trained at
each seed, then each task by itself with the same settings and features, and the means are printed beside.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

import polygraft as pg
from polygraft.assembly.tables import table_spec
from polygraft.data.recipes import recipe
from polygraft.data.splits import TEST, TRAINING, split

SUITES = tuple(f"tasks/{name}/suite.yaml" for name in ("flights", "census", "star", "yeast"))


def boosted(path: str, overrides: list[str]) -> dict[str, float]:
    """`{"<task>/<metric>": value}` on the test split, of one boosted model a task: 60 trees, scikit-learn's other defaults."""
    suite = pg.load(path, set=overrides)
    (name,) = suite.data
    spec = table_spec(suite, name)
    made = recipe(spec.sources[0], spec.folder)
    assert made is not None, "the suite's table is a recipe's"
    table = made.run()
    column = table.column(spec.split.column) if spec.split.column else None
    parts = split(spec.split, len(table), column, suite.seed)
    frame = table.to_pandas()
    features = _features(
        frame, [*spec.drop, *(spec.split.column,), *(t for each in suite.tasks.values() for t in each.targets)]
    )
    scores = {}
    for task, each in suite.tasks.items():
        target = frame[each.targets[0]]
        scores |= {
            f"{task}/{metric}": value for metric, value in _fit(features, target, parts, each.objective.name).items()
        }
    return scores


def _features(frame: pd.DataFrame, without: list[str | None]) -> pd.DataFrame:
    features = frame.drop(columns=[each for each in without if each in frame])
    texts = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    # 254 levels are what its histograms hold; rarer ones are one level
    return features.assign(**{name: _codes(features[name]) for name in texts})


def _codes(column: pd.Series) -> pd.Series:
    frequent = column.value_counts().index[:250]
    return column.where(column.isin(frequent)).astype("category")


def _fit(features: pd.DataFrame, target: pd.Series, parts: np.ndarray, objective: str) -> dict[str, float]:
    known = target.notna().to_numpy()
    train, test = known & (parts == TRAINING), known & (parts == TEST)
    if objective == "regression":
        model = HistGradientBoostingRegressor(max_iter=60, categorical_features="from_dtype", random_state=0)
        model.fit(features[train], target[train].astype(float))
        return {"r2": r2_score(target[test], model.predict(features[test]))}
    labels = target.astype("str")
    model = HistGradientBoostingClassifier(max_iter=60, categorical_features="from_dtype", random_state=0)
    model.fit(features[train], labels[train])
    if len(model.classes_) > 2:
        return {"accuracy": accuracy_score(labels[test], model.predict(features[test]))}
    return {"auc": roc_auc_score(labels[test] == model.classes_[1], model.predict_proba(features[test])[:, 1])}


def trained(path: str, overrides: list[str], seeds: list[int], alone: str | None = None) -> dict[str, list[float]]:
    """`{"<task>/<metric>": values}`, a value of the test split for each seed; of one task `alone` on the same features."""
    found: dict[str, list[float]] = {}
    for seed in seeds:
        changes = [*overrides, f"seed={seed}"]
        suite = pg.load(path, set=changes)
        if alone:
            (table,) = suite.data
            others = [target for name, each in suite.tasks.items() if name != alone for target in each.targets]
            only = {alone: suite.tasks[alone].model_dump(exclude_none=True)}
            changes += [
                f"data.{table}.drop={json.dumps([*suite.data[table].drop, *others])}",
                f"tasks={json.dumps(only)}",
            ]
            suite = pg.load(path, set=[*changes, "train.best=null"])
        run = pg.train(suite, register=False, progress=False)
        for key, value in run.metrics.items():
            found.setdefault(key, []).append(value)
    return found


def main() -> None:
    """Print the figures of each suite: ours, each task alone, boosting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", default=SUITES)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    given = parser.parse_args()
    for path in given.suites:
        start, name = time.perf_counter(), Path(path).parent.name
        reference = boosted(path, given.set)
        seconds = time.perf_counter() - start
        ours = trained(path, given.set, given.seeds) if given.train else {}
        for key, value in reference.items():
            line = f"reference  {name}  {key:24} boosting {value:.4f}"
            if ours:
                alone = trained(path, given.set, given.seeds, key.split("/")[0])
                line += f"  ours {_told(ours[key])}  alone {_told(alone[key])}"
            print(line, flush=True)
        print(f"reference  {name}  boosting took {seconds:.0f} s", flush=True)


def _told(values: list[float]) -> str:
    spread = f" +- {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread} ({len(values)} seeds)"


if __name__ == "__main__":
    main()
