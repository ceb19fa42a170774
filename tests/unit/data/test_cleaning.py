"""Each cleaning step and encoder against numpy and scikit-learn, on the training rows alone."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from polygraft.data.cleaning.base import Cleaning, Levels
from polygraft.data.cleaning.levels import Levels as NormalLevels
from polygraft.data.cleaning.missing import Missing
from polygraft.data.cleaning.outliers import Outliers
from polygraft.data.cleaning.rare_levels import RareLevels
from polygraft.data.columns import as_category, as_timestamp, levels_of
from polygraft.data.encoders.boolean import Boolean
from polygraft.data.encoders.hashing import Hashing
from polygraft.data.encoders.standard import Standard
from polygraft.data.encoders.timestamp import Timestamp
from polygraft.data.encoders.vocabulary import Vocabulary
from polygraft.data.fitting import count_levels, fit_category, fit_number
from polygraft.data.kernels.encode import encode_codes, encode_numbers
from polygraft.data.kernels.strings import hashes
from polygraft.data.known import Held
from polygraft.data.plans import CategoryPlan, NumberPlan

ROWS = 5_000
TRAINING = np.arange(ROWS) % 5 != 0


@pytest.fixture
def values() -> np.ndarray:
    chance = np.random.default_rng(1)
    values = np.round(chance.gamma(1, 100, ROWS))
    values[chance.random(ROWS) < 0.1] = np.nan
    return values


def fitted(values: np.ndarray, *steps: Cleaning) -> NumberPlan:
    column = pa.chunked_array([pa.array(values)])
    return fit_number("x", Held(column, TRAINING), encoder=Standard(), steps=list(steps))


@pytest.mark.parametrize("fill", ["median", "mean", "most_frequent", "constant"])
def test_filling_and_scaling_are_scikit_learns(values: np.ndarray, fill: str) -> None:
    plan = fitted(values, Missing(fill, value=7.0, indicator=False))
    imputer = SimpleImputer(strategy=fill, fill_value=7.0).fit(values[TRAINING, None])
    scaler = StandardScaler().fit(imputer.transform(values[TRAINING, None]))
    assert plan.fill == pytest.approx(imputer.statistics_[0], rel=1e-12)
    assert (plan.mean, plan.scale) == (pytest.approx(scaler.mean_[0]), pytest.approx(scaler.scale_[0]))
    encoded = encode_numbers([pa.chunked_array([pa.array(values)])], [plan], ROWS)
    assert np.allclose(encoded, scaler.transform(imputer.transform(values[:, None])), atol=1e-5)


def test_winsorising_clips_at_quantiles_of_known_training_values(values: np.ndarray) -> None:
    plan = fitted(values, Missing(), Outliers(low=0.02, high=0.9))
    known = values[TRAINING & ~np.isnan(values)]
    assert (plan.low, plan.high) == tuple(np.quantile(known, [0.02, 0.9]))
    assert plan.indicator
    clipped = np.clip(np.where(np.isnan(values), np.median(known), values), plan.low, plan.high)[TRAINING]
    assert (plan.mean, plan.scale) == (pytest.approx(clipped.mean()), pytest.approx(clipped.std()))


def test_deviations_from_the_median_bound_too(values: np.ndarray) -> None:
    plan = fitted(values, Outliers("mad", deviations=3))
    known = values[TRAINING & ~np.isnan(values)]
    reach = 3 * 1.4826 * np.median(np.abs(known - np.median(known)))
    assert (plan.low, plan.high) == (pytest.approx(np.median(known) - reach), pytest.approx(np.median(known) + reach))
    assert fitted(np.r_[np.zeros(ROWS - 10), np.arange(10)], Outliers("mad")).high == np.inf


def test_without_a_step_missing_values_are_the_mean(values: np.ndarray) -> None:
    plan = fitted(values)
    assert plan.fill == pytest.approx(np.nanmean(values[TRAINING]))
    assert encode_numbers([pa.chunked_array([pa.array([None], pa.float64())])], [plan], 1)[0, 0] == 0


def test_a_constant_column_becomes_zero() -> None:
    plan = fitted(np.full(ROWS, 0.1))
    assert plan.scale == 1
    assert abs(plan.mean - 0.1) < 1e-12


def test_a_column_that_training_does_not_know_is_filled_with_zero() -> None:
    plan = fitted(np.where(TRAINING, np.nan, 5.0), Missing(), Outliers())
    assert (plan.fill, plan.mean, plan.scale, plan.indicator) == (0, 0, 1, True)


def test_plans_come_back_from_json_as_they_went() -> None:
    for plan in (NumberPlan("x"), NumberPlan("y", 0.1, -1.5, 1e300, 1 / 3, 2 / 3, True)):
        assert str(NumberPlan.from_json(plan.to_json())) == str(plan)


def test_rare_levels_are_unknown() -> None:
    levels = Levels({"a": 5, "b": 2, "c": 3}, nulls=2)
    plan = Vocabulary().levels("x", levels)
    assert (plan.levels, plan.null, plan.size) == (("a", "b", "c"), True, 5)
    rare = RareLevels(min_count=3).category(plan, levels)
    assert (rare.levels, rare.null, rare.size) == (("a", "c"), False, 3)
    assert rare.codes(["c", "b", "a"]).tolist() == [2, 0, 1]
    assert Vocabulary(max_levels=2).levels("x", levels).levels == ("a", "c")


def test_levels_are_counted_in_training_rows() -> None:
    column = pa.chunked_array(
        [pa.array(["a", None, "b"]).dictionary_encode(), pa.array(["a", "b", None]).dictionary_encode()]
    )
    found = count_levels(column.unify_dictionaries(), np.array([True, True, False, True, False, False]))
    assert (dict(found.counts), found.nulls) == ({"a": 2}, 1)


def test_a_boolean_is_one_minus_one_or_zero() -> None:
    column = pa.chunked_array([pa.array([True, False, None])])
    plan = fit_number("x", Held(column, np.ones(3, bool)), encoder=Boolean(), steps=[Missing()])
    assert encode_numbers([column], [plan], 3).tolist() == [[1, 0], [-1, 0], [0, 1]]


def test_a_moment_lies_on_its_circles() -> None:
    moments = [dt.datetime(2013, 1, 1, 6), dt.datetime(2013, 1, 8, 18), None]
    parts = Timestamp().parts(pa.chunked_array([pa.array(moments)]))
    assert list(parts) == ["age", "hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "year_sin", "year_cos"]
    assert parts["age"].to_pylist() == [15706.25, 15713.75, None]
    assert parts["hour_sin"].to_pylist()[:2] == [pytest.approx(1), pytest.approx(-1)]
    a, b = parts["weekday_cos"].to_pylist()[:2]
    assert a == pytest.approx(np.cos(2 * np.pi * 5.25 / 7), abs=1e-9)  # day 0 was a Thursday; 15706 = 7 * 2243 + 5
    assert b == pytest.approx(np.cos(2 * np.pi * 5.75 / 7), abs=1e-9)


@pytest.mark.parametrize(
    "type_", [pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.date32()]
)
def test_every_unit_of_time_has_the_same_age(type_: pa.DataType) -> None:
    column = pa.chunked_array([pa.array([dt.datetime(2013, 1, 31), None]).cast(type_)])
    parts = Timestamp().parts(column)
    assert parts["age"].to_pylist() == [15736.0, None]
    assert ("hour_sin" in parts) == (type_ != pa.date32())


def test_one_part_of_a_moment_says_that_it_is_missing() -> None:
    column = pa.chunked_array([pa.array([dt.datetime(2013, 1, 31), None] * 10)])
    for chosen in (["age", "year"], ["hour", "year"]):
        encoder = Timestamp(tuple(chosen))  # type: ignore[arg-type]
        parts = encoder.parts(column)
        plans = [
            fit_number(part, Held(each, np.ones(20, bool)), encoder=encoder, steps=[Missing()], part=part)
            for part, each in parts.items()
        ]
        assert sum(plan.indicator for plan in plans) == 1


TEXTS = st.text(st.sampled_from("aAbB ?\t"), max_size=4)


@given(
    rows=st.lists(st.none() | TEXTS, min_size=1, max_size=30),
    new=st.lists(st.none() | TEXTS, max_size=10),
    case=st.booleans(),
    spaces=st.booleans(),
    least=st.integers(1, 3),
)
def test_levels_are_spelled_before_they_are_counted_and_alike_afterwards(rows, new, case, spaces, least) -> None:
    def plain(text: str | None) -> str | None:
        if text is None:
            return None
        text = " ".join(text.split()) if spaces else text
        text = text.lower() if case else text
        return None if text in ("?", "") else {"a": "b"}.get(text, text)

    spell = NormalLevels(case=case, spaces=spaces, null=("?", ""), same={"a": "b"})
    column = as_category(pa.chunked_array([rows], pa.string()))
    steps = [RareLevels(min_count=least), spell]  # wherever it stands
    plan = fit_category("c", column, chosen=np.ones(len(rows), bool), encoder=Vocabulary(), steps=steps)
    plan = CategoryPlan.from_json(json.loads(json.dumps(plan.to_json())))
    counts = Counter(map(plain, rows))
    nulls = counts.pop(None, 0)
    assert plan.levels == tuple(sorted(level for level in counts if counts[level] >= least))
    assert plan.null == (nulls >= least)
    seen = as_category(pa.chunked_array([[*new, *rows]], pa.string()))
    codes = np.empty(len(seen), np.int32)
    mapping, missing = Vocabulary().mapping(plan, levels_of(seen))
    unknown = encode_codes(seen, mapping, missing, codes)
    known = {level: i + 1 for i, level in enumerate(plan.levels)} | {None: missing}
    assert codes.tolist() == [known.get(plain(text), 0) for text in [*new, *rows]]
    assert unknown == sum(plain(text) is not None and plain(text) not in plan.levels for text in [*new, *rows])


@pytest.mark.parametrize(
    ("settings", "levels", "fill"),
    [
        ({"levels": "most_frequent"}, ("a", "b"), "a"),
        ({"levels": "constant", "level": "none"}, ("a", "b", "none"), "none"),
        ({"levels": "constant", "level": "b"}, ("a", "b"), "b"),
        ({}, ("a", "b"), None),
    ],
)
def test_a_missing_category_is_filled_as_it_is_said(settings, levels, fill) -> None:
    column = as_category(pa.chunked_array([["b", "a", None, "a", "b", None]]))
    steps = [Missing(**settings), RareLevels(min_count=2)]
    plan = fit_category("c", column, chosen=np.ones(6, bool), encoder=Vocabulary(), steps=steps)
    assert (plan.levels, plan.null) == (levels, fill is None)
    assert Vocabulary().mapping(plan, [])[1] == (3 if fill is None else levels.index(fill) + 1)


def test_a_column_without_a_known_level_is_left_to_its_null() -> None:
    column = as_category(pa.chunked_array([pa.array([None, None], pa.string())]))
    plan = fit_category(
        "c", column, chosen=np.ones(2, bool), encoder=Vocabulary(), steps=[Missing(levels="most_frequent")]
    )
    assert (plan.null, plan.fill, plan.size) == (True, None, 2)


def test_a_plan_from_before_there_were_spellings_is_read() -> None:
    assert CategoryPlan.from_json({"name": "c", "levels": ["a"], "null": True}) == CategoryPlan("c", ("a",), null=True)


def hashed(text: str) -> int:
    """FNV-1a and MurmurHash3's finaliser, in whole numbers."""
    word = 0xCBF29CE484222325
    for byte in text.encode():
        word = (word ^ byte) * 0x100000001B3 % 2**64
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD % 2**64
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 % 2**64
    return word ^ word >> 33


@given(
    rows=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9), min_size=1),
    buckets=st.integers(1, 9),
)
def test_hashed_levels_are_what_the_hash_says_and_never_unknown(rows, buckets: int) -> None:
    column = as_category(pa.chunked_array([rows], pa.string()))
    plan = fit_category("c", column, chosen=np.ones(len(rows), bool), encoder=Hashing(buckets), steps=[])
    assert plan.size == 1 + buckets + (None in rows)
    codes = np.empty(len(rows), np.int32)
    assert encode_codes(column, *Hashing(buckets).mapping(plan, levels_of(column)), codes) == 0
    assert codes.tolist() == [plan.size - 1 if text is None else 1 + hashed(text) % buckets for text in rows]


def test_strings_are_hashed_from_any_slice() -> None:
    texts = pa.array(["", "a", "ä", "x" * 1000, "木"])
    assert hashes(texts[1:4]).tolist() == [hashed(text) for text in texts[1:4].to_pylist()]
    assert not len(hashes(texts[:0]))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "+05:30", "Pacific/Kiritimati"])
def test_a_moment_is_encoded_alike_in_any_zone_over_both_changes_of_the_clocks(zone: str) -> None:
    hours = np.datetime64("2013-03-30T00") + np.arange(0, 24 * 250, 7).astype("timedelta64[h]")
    plain = pa.chunked_array([pa.array(hours.astype("datetime64[s]"))])
    zoned = plain.cast(pa.timestamp("s", "UTC")).cast(pa.timestamp("ms", zone))
    parts = [Timestamp().parts(as_timestamp(each)) for each in (plain, zoned)]
    assert parts[0].keys() == parts[1].keys()
    for name, values in parts[0].items():
        assert np.array_equal(np.asarray(values), np.asarray(parts[1][name])), name
