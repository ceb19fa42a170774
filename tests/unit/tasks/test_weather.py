"""The weather as series: a row for every hour of each airport, so that rows ago are hours ago; what was not recorded is empty."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def frame(weather: ModuleType) -> pd.DataFrame:
    return weather.weather().to_pandas()


def test_rows_stand_at_every_hour(frame: pd.DataFrame) -> None:
    assert frame.groupby("origin").size().to_dict() == {"EWR": 8730, "JFK": 8730, "LGA": 8730}
    for _, mine in frame.groupby("origin"):
        assert (mine["when"].diff().dropna() == pd.Timedelta("1h")).all()


def test_channels_have_their_gaps_and_no_storm_of_a_thousand_miles(weather: ModuleType, frame: pd.DataFrame) -> None:
    assert len(weather.CHANNELS) == 9
    missing = frame[weather.CHANNELS].isna().sum()
    assert missing["temp"] == len(frame) - 26_115 + 1
    assert missing["pressure"] > 2_700
    assert frame["wind_speed"].max() < 100


def test_an_hour_that_was_not_recorded_is_an_empty_row(weather: ModuleType) -> None:
    time = pd.date_range("2013-03-04T00:00", periods=10, freq="h", tz="UTC").delete(5)
    raw = pd.DataFrame({"origin": "JFK", "time_hour": time.strftime("%Y-%m-%dT%H:%M:%SZ")})
    raw = raw.assign(**dict.fromkeys(["dewp", "humid", "precip", "pressure", "visib"], 1.0))
    raw = raw.assign(temp=time.hour.to_numpy(float), wind_dir=90.0, wind_speed=5.0)
    made = weather.prepared(raw)
    assert len(made) == 10
    assert made.loc[5, weather.CHANNELS].isna().all()
    assert made.loc[5, "day_sin"] == pytest.approx(np.sin(5 / 24 * 2 * np.pi))
    assert made.loc[4, "wind_east"] == pytest.approx(5)
    assert made.loc[6, "temp"] == 6
