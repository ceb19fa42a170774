"""Series: lags, windows and labels ahead are what pandas says, never the future's, and the same in training and afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.core.errors import UserError
from polygraft.data.preparation import Prepared, prepare
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.ragged import Ragged
from polygraft.data.series import chains, extended
from polygraft.data.spec import SeriesSpec, SplitSpec, TableSpec, TargetSpec, WindowSpec
from polygraft.data.targets import encode_labels

SAID = SeriesSpec(
    "time", ("site", "line"), {"x": (1, 3)}, {"x": WindowSpec(4), "name": WindowSpec(2, lag=2)}, {"x": (2,)}
)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Rows of several series in any order, with equal and missing times, and missing values."""
    row = st.fixed_dictionaries(
        {
            "time": st.none() | st.integers(0, 9).map(float),
            "site": st.none() | st.sampled_from("ab"),
            "line": st.integers(0, 1),
            "x": st.none() | st.integers(-99, 99).map(float),
            "name": st.none() | st.sampled_from(["u", "v"]),
        }
    )
    return pd.DataFrame(draw(st.lists(row, min_size=1, max_size=30)), dtype=object)


def as_arrow(frame: pd.DataFrame, cut: int = 0) -> pa.Table:
    """The frame in two chunks."""
    types = {
        "time": pa.float64(),
        "site": pa.string(),
        "line": pa.int64(),
        "x": pa.float64(),
        "name": pa.dictionary(pa.int32(), pa.string()),
    }
    whole = pa.table({name: pa.array(frame[name].tolist(), kind) for name, kind in types.items()})
    return pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])


def before(frame: pd.DataFrame, row: int) -> list[int]:
    """The rows of the same series up to this one, in the order of time, by a plain loop."""
    if frame["time"][row] is None:
        return [row]
    keys = frame[["site", "line"]].apply(tuple, axis=1)
    rows = [each for each in range(len(frame)) if keys[each] == keys[row] and frame["time"][each] is not None]
    return [each for each in rows if (frame["time"][each], each) <= (frame["time"][row], row)]


def in_time(frame: pd.DataFrame, rows: list[int]) -> list[int]:
    return sorted(rows, key=lambda each: (frame["time"][each] or 0, each))


@given(frame=tables(), cut=st.integers(0, 30))
def test_made_columns_are_what_a_loop_over_each_rows_past_says(frame: pd.DataFrame, cut: int) -> None:
    table = as_arrow(frame, min(cut, len(frame)))
    made = extended(SAID, table, chains(SAID, table)).to_pydict()
    values, names = frame["x"].tolist(), frame["name"].tolist()
    for row in range(len(frame)):
        past = in_time(frame, before(frame, row))
        for lag in (1, 3):
            assert made[f"x lag {lag}"][row] == (values[past[-1 - lag]] if len(past) > lag else None)
        assert made["x window"][row] == [values[each] for each in past[-4:]]
        assert made["name window"][row] == [names[each] for each in past[:-2][-2:]]
        same = [each for each in range(len(frame)) if in_time(frame, before(frame, each))[-3:-2] == [row]]
        assert made["x ahead 2"][row] == (values[same[0]] if same else None)


@given(frame=tables(), data=st.data())
def test_nothing_that_comes_later_changes_a_rows_past(frame: pd.DataFrame, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(frame) - 1))
    other = frame.copy()
    later = [each for each in range(len(frame)) if each not in before(frame, at)]
    for each in later:
        other.loc[each, "x"] = 1234.0
    past = replace(SAID, ahead={})
    one, two = (extended(past, as_arrow(each), chains(past, as_arrow(each))) for each in (frame, other))
    for name in past.made:
        assert one.column(name)[at].as_py() == two.column(name)[at].as_py()


def loads(days: int = 40, sites: int = 5) -> pd.DataFrame:
    """Hours of several sites, shuffled: a load with a daily rhythm, and a name of its weather."""
    chance = np.random.default_rng(0)
    hours = np.arange(24 * days)
    frame = pd.DataFrame(
        {
            "when": np.tile(pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, "h"), sites),
            "site": np.repeat([f"s{each}" for each in range(sites)], len(hours)),
            "weather": chance.choice(["sun", "rain", "snow"], len(hours) * sites),
            "load": np.tile(np.sin(hours * np.pi / 12), sites) + chance.normal(0, 0.1, len(hours) * sites),
        }
    )
    return frame.sample(frac=1, random_state=0, ignore_index=True)


SERIES = SeriesSpec(
    "when", ("site",), {"load": (1, 24)}, {"load": WindowSpec(48), "weather": WindowSpec(3)}, {"load": (24,)}
)
SPEC = TableSpec(
    "t",
    ("t.parquet",),
    split=SplitSpec("time", "when", 0.1, 0.2),
    series=SERIES,
    targets=(TargetSpec("next_day", ("load ahead 24",), "number"),),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("series")
    loads().to_parquet(made / "t.parquet")
    return made


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Prepared:
    return prepare(replace(SPEC, folder=folder), folder / "cache")


def test_a_window_is_a_stretch_of_one_array_in_the_cache_too(prepared: Prepared) -> None:
    window = prepared.inputs["series/load window"]
    assert isinstance(window, Ragged)
    assert window.lengths.max() == 48
    assert window.lengths.sum() > 40 * prepared.rows
    assert len(window.values) == prepared.rows


def test_windows_are_standardised_by_training_rows_each_counted_once(prepared: Prepared, folder: Path) -> None:
    frame = pd.read_parquet(folder / "t.parquet")
    train = frame.iloc[prepared.splits["train"]]
    plan = next(each for each in prepared.preprocessor.features if each.column == "load window").input
    assert plan is not None
    assert plan.state["mean"] == pytest.approx(train["load"].mean(), rel=1e-12)
    assert plan.state["scale"] == pytest.approx(train["load"].std(ddof=0), rel=1e-12)


def test_a_label_ahead_stays_in_its_rows_part(prepared: Prepared, folder: Path) -> None:
    frame = pd.read_parquet(folder / "t.parquet")
    part = pd.Series(-1, frame.index)
    for number, rows in enumerate(prepared.splits.values()):
        part.iloc[rows] = number
    order = frame.sort_values("when", kind="stable").index
    ahead = frame.loc[order].groupby("site")["load"].shift(-24).reindex(frame.index)
    theirs = part.loc[order].groupby(frame["site"].loc[order]).shift(-24).reindex(frame.index)
    expected = (ahead.notna() & (theirs == part)).to_numpy()
    assert np.array_equal(prepared.present["next_day"], expected)
    assert 0 < expected.sum() < ahead.notna().sum()
    assert np.array_equal(prepared.targets["next_day"][expected], ahead.to_numpy(np.float32)[expected])


@pytest.mark.parametrize("as_frame", [True, False])
def test_rows_to_predict_are_encoded_as_in_training_their_past_among_them(
    prepared: Prepared, folder: Path, tmp_path: Path, as_frame: bool
) -> None:
    prepared.preprocessor.save(tmp_path)
    preprocessor = Preprocessor.load(tmp_path)
    assert list(preprocessor.columns) == ["load", "weather", "when", "site"]
    frame = pd.read_parquet(folder / "t.parquet")
    rows = frame[frame["site"].isin(["s1", "s3"])]
    found = preprocessor.encode(rows if as_frame else pa.Table.from_pandas(rows))
    for name, array in found.items():
        kept = prepared.inputs[name]
        if isinstance(array, Ragged) and isinstance(kept, Ragged):
            assert all(np.array_equal(array.row(at), kept.row(row)) for at, row in enumerate(rows.index.to_numpy()))
        else:
            assert np.array_equal(array, kept[rows.index])  # type: ignore[index]


def test_labels_ahead_are_made_where_rows_are_scored(prepared: Prepared, folder: Path) -> None:
    table = prepared.preprocessor.extended(pa.Table.from_pandas(pd.read_parquet(folder / "t.parquet")))
    values, present = encode_labels(prepared.target_info["next_day"], table)
    learned = prepared.present["next_day"]
    assert np.array_equal(values[learned], prepared.targets["next_day"][learned])
    assert present.sum() == 24 * 39 * 5


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ({"time": "whem"}, "data.t.series.time: the table 't' has no column 'whem'. Did you mean 'when'?"),
        ({"time": "weather"}, "data.t.series.time: "),
        ({"by": ("site", "sight")}, "data.t.series.by.1: the table 't' has no column 'sight'. Did you mean 'site'?"),
        ({"lags": {"lode": (1,)}}, "data.t.series.lags.lode: the table 't' has no column 'lode'. Did you mean 'load'?"),
        (
            {"windows": {"when": WindowSpec(2)}},
            "data.t.series.windows.when: a window holds numbers, booleans or texts, and",
        ),
        ({"ahead": {"load": (12,)}}, "has no column 'load ahead 24'. Did you mean 'load ahead 12'?"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(folder: Path, tmp_path: Path, series: dict, said: str) -> None:
    spec = replace(SPEC, folder=folder, series=replace(SERIES, **series))
    with pytest.raises(UserError) as raised:
        prepare(spec, tmp_path)
    assert any(said in each.what for each in raised.value.faults), [each.what for each in raised.value.faults]


def test_a_made_column_does_not_hide_one_of_the_table(tmp_path: Path) -> None:
    loads(3).rename(columns={"weather": "load lag 1"}).to_parquet(tmp_path / "t.parquet")
    series = replace(SERIES, windows={})
    with pytest.raises(UserError, match="makes the column 'load lag 1', and the table has one of that name"):
        prepare(replace(SPEC, folder=tmp_path, series=series), tmp_path / "cache")


def test_a_stream_refuses_series_with_the_mend(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"series are not made in a stream\. Allow more: memory"):
        prepare(replace(SPEC, folder=folder, memory=48 * 2**20 // 2**10), tmp_path)


def test_a_row_to_predict_without_its_series_is_refused_by_the_column(prepared: Prepared) -> None:
    with pytest.raises(UserError, match=r"'site' \(category\) is missing"):
        prepared.preprocessor.encode(loads(2).drop(columns="site"), where="the rows to predict")
    with pytest.raises(UserError, match=r"'site' \(category\) is missing"):
        prepared.preprocessor.encode(pa.Table.from_pandas(loads(2).drop(columns="site")))
