"""Row steps: what they drop, reweigh and unlabel among the training rows, by plain oracles; no other row is ever touched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from polygraft.core.errors import UserError
from polygraft.data import row_hash
from polygraft.data.cleaning import duplicates
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.spec import SplitSpec, Step, TableSpec, TargetSpec
from polygraft.suite.load import load

ROWS = 1_200


@pytest.fixture
def frame() -> pd.DataFrame:
    """`kind` hangs on x and on the group; a third of the rows repeat others; the last two tenths are validation and test."""
    chance = np.random.default_rng(0)
    x, group = chance.normal(size=ROWS), chance.choice(["a", "b", "c"], ROWS, p=[0.6, 0.3, 0.1])
    kind = np.where(x + (group == "a") * 1.0 + chance.normal(0, 0.2, ROWS) > 0.5, "yes", "no")
    found = pd.DataFrame(
        {"id": np.arange(ROWS) % 800, "x": np.round(x, 3), "z": chance.normal(size=ROWS), "group": group}
    )
    found["kind"], found["y"] = kind, x * 2
    found.loc[chance.random(ROWS) < 0.1, "z"] = np.nan
    repeated = np.arange(800, ROWS)
    found.iloc[repeated] = found.iloc[repeated - 800].to_numpy()
    found["part"] = np.where(
        np.arange(ROWS) % 10 == 0, "validation", np.where(np.arange(ROWS) % 10 == 1, "test", "train")
    )
    return found.astype({"id": int, "x": float, "z": float, "y": float})


def cleaned(frame: pd.DataFrame, folder: Path, *clean: Step, **spec: Any) -> Prepared:
    folder.mkdir(exist_ok=True, parents=True)
    frame.to_parquet(folder / "t.parquet")
    settings: dict[str, Any] = {
        "drop": ("id",),
        "clean": clean,
        "split": SplitSpec(by="column", column="part", validation="validation", test="test"),
        "targets": (TargetSpec("kind", ("kind",), "category"), TargetSpec("y", ("y",), "number")),
    }
    return prepare(TableSpec("t", ("t.parquet",), folder, **settings | spec), folder / "cache")


def assert_others_untouched(table: Prepared, plain: Prepared) -> None:
    for split in ("validation", "test"):
        assert_array_equal(table.splits[split], plain.splits[split])
        rows = table.splits[split]
        assert_array_equal(table.weights[rows], plain.weights[rows])
        assert_array_equal(table.present["kind"][rows], plain.present["kind"][rows])


def test_duplicates_are_those_of_pandas_among_the_training_rows(frame: pd.DataFrame, tmp_path: Path) -> None:
    table, plain = cleaned(frame, tmp_path, ("duplicates", {})), cleaned(frame, tmp_path)
    training = frame[frame["part"] == "train"]
    kept = training.index[~training.duplicated(["x", "z", "group", "kind", "y"])]
    assert_array_equal(table.splits["train"], kept)
    assert [str(each) for each in table.changed] == [f"duplicates dropped {len(training) - len(kept)}"]
    assert len(kept) < len(training)
    assert_others_untouched(table, plain)


def test_duplicates_by_key_keep_rows_that_lack_it(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["id"] = frame["id"].where(frame.index % 7 > 0).astype("Int64")
    table = cleaned(frame, tmp_path, ("duplicates", {"key": ["id"]}))
    training = frame[frame["part"] == "train"]
    assert_array_equal(table.splits["train"], training.index[~training.duplicated("id") | training["id"].isna()])


def test_a_collision_of_hashes_drops_nothing(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unique = frame.drop_duplicates(["x", "z", "group", "kind", "y"]).reset_index(drop=True)
    monkeypatch.setattr(
        duplicates, "row_hashes", lambda columns, rows: row_hash.row_hashes(columns, rows) % np.uint64(7)
    )
    table = cleaned(unique, tmp_path, ("duplicates", {}))
    assert_array_equal(table.splits["train"], np.flatnonzero(unique["part"] == "train"))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_columns_are_compared_as_pandas_does(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    rows = data.draw(st.integers(8, 30))
    kinds = {
        "x": st.sampled_from([0.0, 1.5, None]),
        "word": st.sampled_from(["", "a", "b", None]),
        "n": st.integers(0, 2),
    }
    values = {name: data.draw(st.lists(kind, min_size=rows, max_size=rows)) for name, kind in kinds.items()}
    drawn = pd.DataFrame({**values, "fixed": np.arange(rows) % 2 * 1.0, "y": np.arange(rows) % 2 * 1.0})
    drawn["word"] = drawn["word"].fillna("none") if drawn["word"].isna().all() else drawn["word"]
    drawn["x"] = drawn["x"].astype(float) if not drawn["x"].isna().all() else 1.0
    split = SplitSpec(validation=0, test=0)
    targets = (TargetSpec("y", ("y",), "number"),)
    folder = tmp_path_factory.mktemp("any")
    table = cleaned(drawn, folder, ("duplicates", {}), drop=(), split=split, targets=targets)
    assert_array_equal(table.splits["train"], drawn.index[~drawn.duplicated()])


def test_columns_are_fitted_on_what_is_left(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = cleaned(frame, tmp_path, ("duplicates", {}), ("missing", {"indicator": False}))
    kept = frame.loc[table.splits["train"], "z"]
    plan = next(feature for feature in table.preprocessor.features if feature.column == "z").numbers[""]
    assert plan.fill == kept.median()


def test_reweighing_makes_every_groups_rate_the_same(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = cleaned(frame, tmp_path, ("reweigh", {"group": "group"}))
    rows = table.splits["train"]
    weights = pd.Series(table.weights[rows], index=rows)
    yes, group = (frame.loc[rows, "kind"] == "yes").astype(float), frame.loc[rows, "group"]
    rates = (weights * yes).groupby(group).sum() / weights.groupby(group).sum()
    assert_allclose(rates, yes.mean(), rtol=1e-5)
    assert np.ptp(yes.groupby(group).mean()) > 0.1  # they differ without it
    assert weights.sum() == pytest.approx(len(rows))
    joint = pd.crosstab(group, yes, normalize=True)
    closed = {(g, c): (group == g).mean() * (yes == c).mean() / joint.loc[g, c] for g in "abc" for c in (0.0, 1.0)}
    assert_allclose(weights, [closed[each] for each in zip(group, yes, strict=True)], rtol=1e-5)
    assert_others_untouched(table, cleaned(frame, tmp_path))


def test_flipped_labels_are_found_and_taken_away(frame: pd.DataFrame, tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    frame["kind"] = np.where(frame["x"] > 0, "yes", "no")
    flipped = (chance.random(ROWS) < 0.1) & (frame["part"] == "train")
    frame["kind"] = np.where(flipped, np.where(frame["kind"] == "yes", "no", "yes"), frame["kind"])
    step = ("label_noise", {})
    table = cleaned(frame, tmp_path, step, targets=(TargetSpec("kind", ("kind",), "category"),), drop=("id", "y"))
    training = table.splits["train"]
    lost = ~table.present["kind"][training]
    true = flipped[training].to_numpy()
    assert (lost & true).sum() > 0.7 * true.sum()  # recall
    assert (lost & true).sum() > 0.7 * lost.sum()  # precision
    assert len(training) == (frame["part"] == "train").sum()
    assert str(table.changed[0]) == f"label_noise unlabelled {lost.sum():,} of kind"
    assert table.present["kind"][table.splits["test"]].all()


@pytest.mark.parametrize(("action", "expected"), [("drop", 0.0), ("down_weight", 0.25)])
def test_suspect_rows_are_dropped_or_weigh_less(
    frame: pd.DataFrame, tmp_path: Path, action: str, expected: float
) -> None:
    by_label = cleaned(frame, tmp_path, ("label_noise", {}))
    suspects = by_label.splits["train"][~by_label.present["kind"][by_label.splits["train"]]]
    assert len(suspects)
    table = cleaned(frame, tmp_path, ("label_noise", {"action": action, "weight": 0.25}))
    assert_array_equal(table.weights[suspects], np.float32(expected))
    assert np.isin(suspects, table.splits["train"]).any() == (action == "down_weight")


def test_outlying_rows_go_by_quantiles_of_the_training_rows(frame: pd.DataFrame, tmp_path: Path) -> None:
    step = ("outlying_rows", {"columns": ["z"], "method": "quantile", "low": 0.05, "high": 0.95})
    table = cleaned(frame, tmp_path, step)
    training = frame.loc[frame["part"] == "train", "z"]
    low, high = training.quantile(0.05), training.quantile(0.95)
    assert_array_equal(table.splits["train"], training.index[~((training < low) | (training > high))])


def test_steps_see_what_the_ones_before_have_kept_and_factors_multiply(frame: pd.DataFrame, tmp_path: Path) -> None:
    both = cleaned(frame, tmp_path, ("duplicates", {}), ("reweigh", {"group": "group"}))
    unique = frame.loc[[*both.splits["train"], *both.splits["validation"], *both.splits["test"]]].sort_index()
    alone = cleaned(unique.reset_index(drop=True), tmp_path / "alone", ("reweigh", {"group": "group"}))
    assert_array_equal(alone.weights[alone.splits["train"]], both.weights[both.splits["train"]])


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (("duplicates", {"key": ["ide"]}), "clean.0.key: the table 't' has no column 'ide'. Did you mean 'id'"),
        (("reweigh", {"group": "grop"}), "clean.0.group: .*Did you mean 'group'"),
        (("label_noise", {"task": "y"}), "clean.0.task: no task with classes is called 'y'"),
        (("outlying_rows", {"columns": ["group"]}), "clean.0.columns: no number among the features is called 'group'"),
        (("outlying_rows", {"columns": ["x"], "method": "quantile", "low": 0.49, "high": 0.5}), ""),
    ],
)
def test_a_setting_that_the_rows_do_not_allow_is_refused_with_its_place(
    frame: pd.DataFrame, tmp_path: Path, step: Step, words: str
) -> None:
    if not words:
        assert len(cleaned(frame, tmp_path, step).splits["train"]) > 0
        return
    with pytest.raises(UserError, match=words):
        cleaned(frame, tmp_path, step)


def test_a_stream_refuses_them_with_the_mend(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'duplicates' looks at all training rows at once, .*Allow more: memory"):
        cleaned(frame, tmp_path, ("duplicates", {}), memory=1)


def test_the_guides_steps_are_taken_by_a_suite(repository: Path, tmp_path: Path) -> None:
    steps, sampling = re.findall(
        r"^```yaml\n(.*?)^```", (repository / "docs/cleaning.md").read_text(), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "t.csv").write_text("distance,carrier,late\n1,a,0\n")
    (tmp_path / "suite.yaml").write_text(
        "suite: s\ndata:\n  t:\n    source: t.csv\n"
        + steps
        + sampling
        + "backbone: {name: mlp}\ntasks: {late: {data: t, target: late, objective: classification}}\ntrain: {steps: 1}\n"
    )
    assert [step.name for step in load(str(tmp_path / "suite.yaml")).data["t"].clean][:2] == [
        "duplicates",
        "label_noise",
    ]
