"""One page about one run: what was trained on what, how well, how its tasks got on with each other, where the time went."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polygraft.core.atomic import write_text
from polygraft.core.errors import fault
from polygraft.core.exhibits import Exhibit
from polygraft.report.charts import Series, bars, heat_map, line_chart, number
from polygraft.report.exhibits import drawn
from polygraft.report.page import facts, folded, grid, page, section, table
from polygraft.suite.text import read_text
from polygraft.tracking.journal import Entry, history, read

MOST_PAIRS = 8
Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Material:
    """What the folder of a run holds: the resolved suite (and as text), result and numbers by key; empty where it is not there."""

    folder: Path
    suite: Mapping[str, Any]
    text: str
    result: Mapping[str, Any]
    points: Mapping[str, Points]
    clocks: Sequence[Entry]
    exhibits: Sequence[Exhibit] = ()

    @property
    def tasks(self) -> list[str]:
        """The tasks, in the order of the suite."""
        named = list(self.suite.get("tasks") or {})
        return named or sorted({key.split("/")[1] for key in self.points if key.startswith("train/")})

    def under(self, prefix: str) -> dict[str, Points]:
        """The numbers whose keys begin with `prefix`, by the rest of the key."""
        return {key.removeprefix(prefix): points for key, points in self.points.items() if key.startswith(prefix)}


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into the run's folder, whatever the run has come to so far. Raises UserError when it is no run."""
    path = run_dir / "report.html"
    write_text(path, render(gather(run_dir)))
    return path


def gather(run_dir: Path) -> Material:
    """Read the run's folder. Raises UserError when it holds no suite."""
    try:
        raw = (run_dir / "suite.yaml").read_bytes()
    except OSError as error:
        raise fault("this folder holds no run: it has no suite.yaml.", str(run_dir)) from error
    result = _json(run_dir / "run.json") | _json(run_dir / "result.json")
    points = history(read(run_dir / "metrics.jsonl"))
    clocks = read(run_dir / "system.jsonl")
    suite, _ = read_text(raw, str(run_dir / "suite.yaml"))
    exhibits = [Exhibit.from_json(each) for each in _json(run_dir / "exhibits.json") or ()]
    return Material(run_dir, suite, raw.decode(), result, points, clocks, exhibits)


def render(run: Material) -> str:
    """The page."""
    colours = {task: index for index, task in enumerate(run.tasks)}
    name = str(run.result.get("run_id") or run.folder.name)
    steps = max((points[-1][0] for points in run.points.values()), default=0)
    status = str(run.result.get("status") or "unfinished")
    return page(
        name,
        f"{status} at step {run.result.get('step') or steps:,}",
        [
            _results(run),
            _what(run),
            _curves(run),
            section("Pictures of the test rows", grid(map(drawn, run.exhibits))),
            _balance(run, colours),
            _time(run),
        ],
    )


def _results(run: Material) -> str:
    """Metrics by task, on validation and test."""
    test: Mapping[str, float] = run.result.get("metrics") or _last(run.under("test/"))
    validation: Mapping[str, float] = run.result.get("validation") or _last(run.under("validation/"))
    rows = [
        [*key.partition("/")[::2], _known(validation.get(key)), _known(test.get(key))]
        for key in dict.fromkeys([*test, *validation])
    ]
    return section(
        "Results",
        table(
            "Validation chose the weights; test was scored once.",
            ["Task", "Metric", "Validation", "Test"],
            rows,
            words=2,
        ),
    )


def _what(run: Material) -> str:
    suite = run.suite
    measured = run.result.get("data") or {}
    tables = [
        [
            name,
            str((about or {}).get("source", "")),
            *(_known((measured.get(name) or {}).get(part)) for part in ("rows", "train", "validation", "test")),
        ]
        for name, about in (suite.get("data") or {}).items()
    ]
    tasks = [
        [
            name,
            _plain(about.get("data")),
            _plain(about.get("target")),
            _plain(about.get("objective")),
            _plain(about.get("weight", 1)),
        ]
        for name, about in (suite.get("tasks") or {}).items()
    ]
    return section(
        "What was trained",
        facts(
            [
                *(
                    (word.capitalize(), _plain(suite.get(word)))
                    for word in ("suite", "backbone", "sharing", "balancer", "transfer", "train", "workers", "seed")
                ),
                ("Model", _plain(run.result.get("model_uri"))),
                ("MLflow run", _plain(run.result.get("mlflow_run_id"))),
            ]
        ),
        table("Tables", ["Table", "Source", "Rows", "Train", "Validation", "Test"], tables, words=2),
        table("Tasks", ["Task", "Table", "Target", "Objective", "Weight"], tasks, words=4),
        folded("The suite as resolved", run.text),
    )


def _curves(run: Material) -> str:
    train, validation = run.under("train/"), run.under("validation/")
    figures = []
    for task in run.tasks:
        keys = [key for key in dict.fromkeys([*train, *validation]) if key.startswith(f"{task}/")]
        for key in sorted(keys, key=lambda key: not key.endswith("/loss")):
            parts = (("train", train, 0), ("validation", validation, 1))
            series = [Series(name, numbers[key], colour) for name, numbers, colour in parts if key in numbers]
            figures.append(
                line_chart(
                    f"{task}: {key.removeprefix(f'{task}/')}{f', {series[0].name}' if len(series) == 1 else ''}", series
                )
            )
    shares = {key.removesuffix("/share"): each for key, each in run.under("mixture/").items() if key.endswith("/share")}
    taken = [Series(table, shares[table], index) for index, table in enumerate(sorted(shares))]
    figures.append(line_chart("Share of the steps so far that took each table", taken, bounds=(0, 1)))
    return section("Curves", grid(figures))


def _balance(run: Material, colours: Mapping[str, int]) -> str:
    """How the tasks' gradients got on: cosines, weights, norms, and whether the cheap Gramian tells the truth."""
    pairs = {tuple(key.split("~", 1)): points for key, points in run.under("balance/cosine/").items() if "~" in key}
    means = {(one, other): _mean(points) for (one, other), points in pairs.items()}
    names = [task for task in run.tasks if any(task in pair for pair in pairs)]
    lowest = sorted(pairs, key=lambda pair: means[pair[0], pair[1]])[:MOST_PAIRS]
    over_time = [Series(" and ".join(pair), pairs[pair], index) for index, pair in enumerate(lowest)]
    left_out = f", the {MOST_PAIRS} lowest of {len(pairs)}" if len(pairs) > MOST_PAIRS else ""
    ours = {(task, task): 1.0 for task in names} | means
    agreement = [
        Series(name.replace("_", " "), points, index)
        for index, (name, points) in enumerate(sorted(run.under("balance/agreement/").items()))
    ]
    rate = run.points.get("balance/conflict_rate", [])
    condition = [(step, math.log10(value)) for step, value in run.points.get("balance/condition", []) if value > 0]
    return section(
        "Balance",
        grid(
            [
                heat_map("Cosines between the tasks' gradients, mean over training", names, ours) if names else "",
                line_chart(f"Cosines over time{left_out}", over_time, bounds=(-1, 1)),
                line_chart("Share of pairs in conflict", [Series("conflicts", rate)], bounds=(0, 1)),
                line_chart("Condition number of the Gramian, powers of ten", [Series("condition", condition)]),
                line_chart("Weights of the tasks", _by_task(run.under("balance/weight/"), colours)),
                line_chart("Norms of the tasks' gradients", _by_task(run.under("balance/norm/"), colours)),
                line_chart("Agreement of the cheap Gramian with the true one", agreement),
            ]
        ),
        words="A cosine below 0 is a conflict: what helps one task harms the other. The agreement says how far the cheap "
        "measure that the weights come from can be trusted.",
    )


def _time(run: Material) -> str:
    seconds: dict[str, float] = {}
    for entry in run.clocks:
        for key, value in entry.values.items():
            if key.startswith("system/seconds/") and math.isfinite(value):
                part = key.removeprefix("system/seconds/")
                seconds[part] = seconds.get(part, 0.0) + value
    wall = seconds.pop("wall", 0.0)
    rest = wall - sum(seconds.values())
    parts = seconds | ({"the rest": rest} if rest > 0.005 * wall else {})
    waited = f", {seconds['data'] / wall:.1%} of it waiting for data" if wall and "data" in seconds else ""
    speed = history(run.clocks).get("system/samples_per_second", [])
    attempts = sorted({entry.attempt for entry in run.clocks if entry.attempt is not None})
    said = (
        f"{number(wall)} s in all" + (f", in {len(attempts)} attempts" if len(attempts) > 1 else "") + waited
        if wall
        else ""
    )
    return section(
        "Where the time went",
        grid(
            [
                bars("Seconds by part", parts, unit="s") if parts else "",
                line_chart("Rows a second", [Series("rows/s", speed)]),
            ]
        ),
        words=said,
    )


def _by_task(points: Mapping[str, Points], colours: Mapping[str, int]) -> list[Series]:
    return [
        Series(task, points[task], colours.get(task, 0))
        for task in sorted(points, key=lambda task: colours.get(task, 0))
    ]


def _last(points: Mapping[str, Points]) -> dict[str, float]:
    return {key: series[-1][1] for key, series in points.items()}


def _mean(points: Points) -> float:
    finite = [value for _, value in points if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _known(value: Any) -> str:
    return number(float(value)) if isinstance(value, int | float) else ""


def _plain(value: Any) -> str:
    """A setting as a person would say it: `cagrad (c 0.4)`."""
    if isinstance(value, Mapping):
        name = value.get("name")
        inner = ", ".join(
            f"{key} {_plain(each)}" for key, each in value.items() if key != "name" and each not in (None, {}, [])
        )
        return f"{name} ({inner})" if name and inner else str(name or inner)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_plain, value))
    return "" if value is None else str(value)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
