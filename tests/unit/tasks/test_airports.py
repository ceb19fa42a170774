"""The weather's table: a row an hour, targets of the hours after it and of no others."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest


@pytest.fixture(scope="module")
def table(airports: ModuleType) -> pa.Table:
    return airports.weather()


def test_every_hour_is_a_row(airports: ModuleType, table: pa.Table) -> None:
    assert len(table) == 26_115
    assert [table[name].null_count for name in airports.TARGETS] == [94, 98, 273, 273]


@pytest.fixture
def hours() -> pd.DataFrame:
    """Ten hours of one airport, the sixth of which is missing."""
    time = pd.date_range("2013-03-04T00:00", periods=10, freq="h", tz="UTC").delete(5)
    number = time.hour.to_numpy(float)
    raw = pd.DataFrame(
        {"origin": "JFK", "time_hour": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "month": 3, "hour": time.hour}
    )
    told = raw.assign(
        temp=number, dewp=0.0, humid=0.0, wind_dir=90.0, wind_speed=5.0, wind_gust=np.nan, pressure=1000.0
    )
    return told.assign(precip=np.where(number == 8, 0.1, 0.0), visib=np.where(number == 1, 2.0, 10.0))


def test_targets_are_matched_by_the_clock(airports: ModuleType, hours: pd.DataFrame) -> None:
    made = airports.prepared(hours).set_index("hour")
    assert made.temp_later[0] == 6
    assert made.temp_later[3] == 9
    assert made.temp_later[4:].isna().all(), "nothing is known of later hours"
    assert made.temp_3h[3] == 3
    assert np.isnan(made.temp_1h[6]), "the hour before is missing"
    assert made.rain_soon[:4].isna().all(), "of the next 6 hours one is missing, or beyond the end"


def test_soon_is_within_six_hours_from_the_next_on(airports: ModuleType, hours: pd.DataFrame) -> None:
    whole = pd.concat([hours, hours.iloc[[4]].assign(time_hour="2013-03-04T05:00:00Z", hour=5, temp=5.0)])
    made = airports.prepared(whole).set_index("hour")
    assert made.rain_soon[:4].tolist() == [False, False, True, True]
    assert made.murk_soon[:4].tolist() == [True, False, False, False]


def test_a_gale_that_nobody_ever_saw_is_no_value(airports: ModuleType, table: pa.Table) -> None:
    assert max(table["wind_speed"].drop_null().to_pylist()) < 60
    assert table["wind_speed"].null_count == 5
