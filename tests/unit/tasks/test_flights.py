"""The flights' table holds what is known before departure, and labels only where there are any."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

AFTERWARDS = {"dep_time", "arr_time", "air_time", "dep_delay", "arr_delay", "cancelled", "late"}


@pytest.fixture(scope="module")
def table(flights: ModuleType) -> pa.Table:
    return flights.flights()


@pytest.fixture
def raw() -> dict[str, pd.DataFrame]:
    """Four flights of one route: on time, late, cancelled without a plane, diverted."""
    clock = {"sched_dep_time": [1459, 1559, 1659, 2359], "sched_arr_time": [1700, 1801, 1901, 114]}
    outcome = {"dep_time": [1500.0, 1700.0, np.nan, 2359.0], "arr_delay": [15.0, 16.0, np.nan, np.nan]}
    flights = pd.DataFrame(
        {
            **clock,
            **outcome,
            "dep_delay": [1.0, 61.0, np.nan, 0.0],
            "arr_time": [1715.0, 1817.0, np.nan, np.nan],
            "year": 2013, "month": 3, "day": 4, "hour": [14, 15, 16, 23], "minute": 59,
            "carrier": "UA", "origin": "EWR", "dest": "IAH", "distance": 1400, "air_time": [100.0, 100.0, np.nan, np.nan],
            "tailnum": ["N1", "N2", None, "N9"],
            "time_hour": [f"2013-03-0{day}T{hour}:00:00Z" for day, hour in ((4, 19), (4, 20), (4, 21), (5, "04"))],
        }
    )  # fmt: skip
    weather = pd.DataFrame(
        {"origin": "EWR", "time_hour": ["2013-03-04T19:00:00Z"] * 2, "wind_dir": 90.0, "wind_speed": 10.0}
    )
    weather = weather.assign(temp=1.0, dewp=1.0, humid=1.0, wind_gust=np.nan, precip=0.0, pressure=1000.0, visib=10.0)
    planes = pd.DataFrame({"tailnum": ["N1", "N2"], "year": [1999.0, 2004.0], "engines": 2, "seats": [55, 182]})
    planes = planes.assign(manufacturer="BOEING", model="737", type="Fixed wing multi engine")
    airports = pd.DataFrame({"faa": ["IAH"], "lat": [29.98], "lon": [-95.34]})
    return {"flights": flights, "weather": weather, "planes": planes, "airports": airports}


def test_nothing_that_is_known_afterwards_is_a_feature(flights: ModuleType, table: pa.Table) -> None:
    assert set(table.column_names) & AFTERWARDS == set(flights.TARGETS)
    assert not {"tailnum", "flight"} & set(table.column_names)


def test_every_flight_is_one_row_in_its_order(table: pa.Table) -> None:
    assert len(table) == 336_776
    assert table["distance"][0].as_py() == 1400


def test_labels_are_missing_where_a_flight_was_cancelled_or_diverted(table: pa.Table) -> None:
    cancelled = table["cancelled"]
    assert pc.sum(cancelled).as_py() == 8_255
    assert cancelled.null_count == 0
    assert [table[name].null_count for name in ("late", "arr_delay", "dep_delay")] == [9_430, 9_430, 8_255]
    assert table["dep_delay"].filter(cancelled).null_count == 8_255
    assert pc.all(pc.equal(table["late"], pc.greater(table["arr_delay"], 15))).as_py()


def test_what_is_missing_does_not_tell_who_was_cancelled(table: pa.Table) -> None:
    """As the source has it, a missing tail number tells .30 of the cancelled flights at once."""
    cancelled = table["cancelled"].to_numpy()
    for name in ("manufacturer", "model", "engines", "seats", "built"):
        assert abs(roc_auc_score(cancelled, np.asarray(table[name].is_null())) - 0.5) < 0.06, name


def test_joined_by_hand(flights: ModuleType, raw: dict[str, pd.DataFrame]) -> None:
    table = flights.joined(**raw)
    assert len(table) == 4
    first = table.iloc[0]
    assert (first.departure_minute, first.arrival_minute, first.planned_minutes) == (899, 1020, 121)
    assert (first.day_of_year, first.weekday, first.scheduled) == (63, 0, pd.Timestamp("2013-03-04 19:59"))
    assert first.wind_east == pytest.approx(10)
    assert first.wind_north == pytest.approx(0, abs=1e-9)
    assert table.temp.isna().tolist() == [False, True, True, True]
    assert table.planned_minutes[3] == 75


def test_a_flight_without_a_plane_takes_the_last_one_of_its_route(
    flights: ModuleType, raw: dict[str, pd.DataFrame]
) -> None:
    table = flights.joined(**raw)
    assert table.built.tolist()[:3] == [1999, 2004, 2004]
    assert np.isnan(table.built[3])  # N9 is not among the planes


def test_labels_by_hand(flights: ModuleType, raw: dict[str, pd.DataFrame]) -> None:
    labels = flights.labels(raw["flights"])
    assert labels.cancelled.tolist() == [False, False, True, False]
    assert labels.late.tolist()[:2] == [False, True]
    assert labels.late.isna().tolist() == [False, False, True, True]
    assert labels.dep_delay.isna().tolist() == [False, False, True, False]
