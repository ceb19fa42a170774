"""The quality checks: planted dirt is found, clean data is left alone, any chunking finds the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polygraft.cli.main import run as polygraft
from polygraft.core.catalogue import catalogue
from polygraft.data.checks import check
from polygraft.data.group_error import GroupError
from polygraft.data.quality import registry
from polygraft.data.quality.base import Finding
from polygraft.data.quality.leakage import auc
from polygraft.data.spec import SplitSpec, TableSpec, TargetSpec
from polygraft.data.survey import survey

ROWS = 2000
SPEC = TableSpec("t", ("t.csv",), targets=(TargetSpec("buys", ("buys",), "category"),))


def clean() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "age": rng.normal(40, 10, ROWS),
        "town": rng.choice(["Ulm", "Graz", "Bern"], ROWS).tolist(),
        "buys": (rng.random(ROWS) < 0.5).tolist(),
    }


def found(columns: Mapping[str, Any], spec: TableSpec = SPEC) -> list[Finding]:
    table = pa.table(columns)
    seen = survey(table, spec, check(spec, table).parts)
    return [finding for name in catalogue("data/quality") for finding in registry.make(name).look(seen)]


def put(column: Any, value: object, rows: int) -> list[Any]:
    return [value] * rows + list(column)[rows:]


BASE = clean()
TOLD = np.asarray(BASE["buys"]) + np.linspace(0, 0.5, ROWS)
NEAR = ["Ulm  am See", "ULM am see", *BASE["town"][2:]]
PLAIN = np.linspace(-1, 1, ROWS)
FLIPPED = ((PLAIN > 0) ^ (np.arange(ROWS) % 10 == 3)).tolist()  # one label in ten is wrong
DIRT = [
    ("missing_values", "columns.age", {"age": put(BASE["age"], None, 1200)}, "drop: [age]", 0.6),
    ("constants", "columns.flat", {"flat": ["x"] * ROWS}, "drop: [flat]", ROWS),
    (
        "suspicious_levels",
        "columns.town",
        {"town": put(BASE["town"], "?", 7)},
        'clean: [{name: levels, null: ["?"]}, {name: missing}]',
        7,
    ),
    ("suspicious_levels", "columns.age", {"age": put(np.arange(ROWS) % 50 + 0.0, -999.0, 30)}, "", 30),
    ("imbalance", "columns.buys", {"buys": [True] * 40 + [False] * (ROWS - 40)}, None, 0.02),
    (
        "row_weights",
        "columns.instance_weight",
        {"instance_weight": np.arange(ROWS) + 0.5},
        "drop: [instance_weight]",
        1,
    ),
    ("outlying_values", "columns.age", {"age": put(BASE["age"], 1e6, 20)}, "clean: [{name: outliers}]", 0.01),
    ("outlying_values", "columns.age", {"age": put(BASE["age"], np.inf, 2)}, "", 2),
    ("mixed_types", "columns.code", {"code": put(map(str, np.arange(ROWS) % 9), "x", 200)}, "", 0.9),
    (
        "group_bias",
        "columns.sex",
        {"sex": ["f", "m"] * 1000, "buys": [True, True, False, True] * 500},
        "clean: [{name: reweigh, group: sex, task: buys}, {name: missing}]",
        0.5,
    ),
    (
        "near_duplicates",
        "",
        {"town": NEAR, "age": [40.0001, 40.0001000001, *BASE["age"][2:]], "buys": [True, True, *BASE["buys"][2:]]},
        None,
        1,
    ),
    (
        "label_noise",
        "columns.buys",
        {"age": PLAIN, "buys": FLIPPED},
        "clean: [{name: label_noise, task: buys}, {name: missing}]",
        0.1,
    ),
    ("leakage", "columns.told", {"told": TOLD}, "drop: [told]", 1.0),
]


def test_clean_data_gives_no_finding_above_note() -> None:
    assert [each for each in found(clean()) if each.severity != "note"] == []


@pytest.mark.parametrize(("name", "place", "dirt", "mend", "figure"), DIRT)
def test_planted_dirt_is_found(name: str, place: str, dirt: dict[str, Any], mend: str | None, figure: float) -> None:
    told = [each for each in found(clean() | dirt) if (each.check, each.place) == (name, place)]
    assert [each.severity in ("warning", "serious") for each in told] == [True]
    assert told[0].figure == pytest.approx(figure, rel=0.05 if name == "label_noise" else 1e-6)
    assert mend is None or told[0].mend == mend


@pytest.mark.parametrize(("name", "place", "dirt", "mend", "figure"), DIRT)
def test_every_line_that_is_said_to_mend_is_one_of_a_suite(name, place, dirt, mend, figure, tmp_path) -> None:
    pa.csv.write_csv(pa.table(clean() | dirt), tmp_path / "t.csv")
    for each in found(clean() | dirt):
        table, objective = (
            (each.mend, "classification") if not each.mend.startswith("objective") else ("", each.mend[11:])
        )
        lines = [
            "suite: t",
            "data:\n  t:\n    source: t.csv",
            *([f"    {table}"] if table else []),
            "backbone: mlp\ntrain: {steps: 10}",
            f"tasks: {{buys: {{data: t, target: buys, objective: {objective}}}}}",
        ]
        (tmp_path / "suite.yaml").write_text("\n".join(lines) + "\n")
        assert polygraft(["check", str(tmp_path / "suite.yaml")]) == 0, each


def test_labels_that_nothing_tells_are_not_called_wrong() -> None:
    assert [each for each in found(clean()) if each.check == "label_noise"] == []


def test_columns_missing_in_the_same_rows_are_told_together() -> None:
    gaps = {name: put(BASE["age"], None, 30) for name in ("one", "two")}
    assert any(each.words == "missing in the same rows: one, two" for each in found(clean() | gaps))


def test_duplicates_are_counted_by_side_of_a_given_split_and_across_it() -> None:
    columns = {name: list(values)[:10] + list(values)[:4] + list(values)[:3] for name, values in clean().items()}
    spec = replace(SPEC, split=SplitSpec("column", "part", validation=0.0, test="test"))
    told = found(columns | {"part": ["train"] * 14 + ["test"] * 3}, spec)
    assert [(each.figure, each.place) for each in told if each.check == "duplicates"] == [(4, ""), (3, "split")]


def test_dates_that_go_back_and_a_split_at_random_over_dates_are_told() -> None:
    days = np.datetime64("2024-01-01T00:00", "s") + np.arange(ROWS).astype("timedelta64[D]")
    swapped = days.copy()
    swapped[[5, 900]] = days[[6, 901]]
    swapped[[6, 901]] = days[[5, 900]]
    told = [(each.place, each.figure) for each in found(clean() | {"day": swapped}) if each.check == "dates"]
    assert told == [("columns.day", 2), ("split", 1)]
    by_time = replace(SPEC, split=SplitSpec("time", "day"))
    assert [each for each in found(clean() | {"day": days}, by_time) if each.check == "dates"] == []


def test_a_feature_that_moves_between_the_splits_is_drift() -> None:
    spec = replace(SPEC, split=SplitSpec("time", "age", validation=0.1, test=0.2))
    assert [each.place for each in found(clean(), spec) if each.check == "drift"] == ["columns.age"]


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 59), max_size=4, unique=True))
def test_rows_hash_alike_in_any_chunking(cuts: list[int]) -> None:
    whole = pa.table({"n": [None, 0, 1] * 20, "t": ["a", None, "b", "a"] * 15, "buys": [True, False] * 30})
    edges = [0, *sorted(cuts), 60]
    cut = pa.concat_tables([whole.slice(low, high - low) for low, high in itertools.pairwise(edges)])
    parts = np.zeros(60, np.uint8)
    one, other = survey(whole, SPEC, parts), survey(cut, SPEC, parts)
    assert (one.hashes == other.hashes).all()
    assert len(np.unique(one.hashes)) == len(whole.to_pandas().drop_duplicates())
    assert one.sample.equals(other.sample)


def test_levels_that_differ_between_the_splits_are_drift() -> None:
    spec = replace(SPEC, split=SplitSpec("time", "age", validation=0.1, test=0.2))
    late = np.where(np.asarray(BASE["age"]) > 48, "new", "old").tolist()
    assert "columns.town" in [each.place for each in found(clean() | {"town": late}, spec) if each.unit == "PSI"]


def test_the_auc_is_that_of_scikit_learn_with_ties() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    scores, labels = rng.integers(0, 5, 300).astype(float), rng.integers(0, 2, 300).astype(float)
    assert auc(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores))


def beside(mine: Mapping[str, Any], *earlier: Mapping[str, Any]) -> list[Finding]:
    """What is said of a table's drift from the tables that stand before it."""
    surveys = [survey(each, SPEC, check(SPEC, each).parts) for each in map(pa.table, (*earlier, mine))]
    before = {f"t{i}": each for i, each in enumerate(surveys[:-1])}
    return list(registry.make("table_drift").look(replace(surveys[-1], others=before)))


def test_a_column_that_moves_between_tables_is_told_with_the_distance_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    moved = clean() | {"age": np.random.default_rng(5).normal(46, 10, ROWS)}
    (told,) = beside(moved, clean(), clean() | {"age": np.asarray(BASE["age"]) + 1})
    assert (told.place, told.unit, told.mend) == ("columns.age", "KS", "encode: {age: quantile_normal}")
    assert told.figure == pytest.approx(stats.ks_2samp(BASE["age"], moved["age"], method="asymp").statistic)
    assert "that of t0" in told.words  # the furthest of both


def test_levels_that_tables_do_not_share_are_drift_and_alike_tables_give_none() -> None:
    other = ["Ulm" if town == "Bern" else town for town in BASE["town"]]
    assert [(each.place, each.unit) for each in beside(clean() | {"town": other}, clean())] == [("columns.town", "PSI")]
    drawn_again = np.random.default_rng(6).choice(["Ulm", "Graz", "Bern"], ROWS).tolist()
    assert beside(clean() | {"town": drawn_again}, clean()) == []
    assert beside({"size" if name == "age" else name: each for name, each in clean().items()}, clean()) == []


def test_a_column_of_another_type_in_another_table_is_told() -> None:
    (told,) = beside(clean() | {"town": np.arange(ROWS) % 3 + 0.5}, clean())
    assert told.words == "town is double here and string in t0"


def test_moments_of_other_units_are_compared_as_moments() -> None:
    days = np.datetime64("2024-01-01T00:00", "s") + np.arange(ROWS).astype("timedelta64[D]")
    assert beside(clean() | {"day": days}, clean() | {"day": days.astype("datetime64[us]")}) == []
    assert [
        each.place for each in beside(clean() | {"day": days + np.timedelta64(900, "D")}, clean() | {"day": days})
    ] == ["columns.day"]


def test_each_pair_of_tables_is_compared_once_and_its_mend_is_a_line_of_a_suite(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    moved = clean() | {"age": np.asarray(BASE["age"]) * 2}
    for name, columns in (("one", clean()), ("two", moved)):
        pa.csv.write_csv(pa.table(columns), tmp_path / f"{name}.csv")
    tasks = "tasks: {a: {data: one, target: buys, objective: classification}, b: {data: two, target: buys, objective: classification}}"
    suite = (
        "suite: t\ndata:\n  one: {source: one.csv}\n  two:\n    source: two.csv\n    %s\nbackbone: mlp\ntrain: {steps: 10}\n"
        + tasks
    )
    (tmp_path / "suite.yaml").write_text(suite % "drop: []")
    assert polygraft(["check", "suite.yaml", "--data", "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    told = [
        (each["table"], found["mend"])
        for each in tables
        for found in each["findings"]
        if found["check"] == "table_drift"
    ]
    assert told == [("two", "encode: {age: quantile_normal}")]
    (tmp_path / "suite.yaml").write_text(suite % told[0][1])
    assert polygraft(["check", "suite.yaml", "--data", "--json"]) == 0
    assert "quantile_normal}" not in capsys.readouterr().out  # and is not said again


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([(1000, 0.10), (1000, 0.20)], True),
        ([(1000, 0.10), (99, 0.50)], False),  # too few
        ([(1000, 0.10), (1000, 0.12)], False),  # not a quarter above
        ([(120, 0.10), (120, 0.15)], False),  # within chance
        ([(1000, 0.0), (1000, 0.1)], True),
    ],
)
def test_a_groups_error_is_told_when_it_is_a_quarter_above_anothers_and_beyond_chance(errors, told: bool) -> None:
    groups = [
        GroupError(
            "y", "sex", str(number), rows, error, (error * (1 - error)) ** 0.5, "share of rows that are wrong", "r"
        )
        for number, (rows, error) in enumerate(errors)
    ]
    table = pa.table({"sex": ["f", "m"], "y": [0, 1]})
    spec = TableSpec("t", ("t",), targets=(TargetSpec("y", ("y",), "category"),))
    seen = replace(survey(table, spec, np.zeros(2, np.uint8)), errors=tuple(groups))
    findings = list(registry.make("group_errors").look(seen))
    assert bool(findings) == told
    if told:
        assert "task: y" in findings[0].mend
