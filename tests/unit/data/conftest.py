"""Small tables on disk, and what every property of this room is tried with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

settings.register_profile("polygraft", deadline=None)  # the first example compiles a kernel
settings.load_profile("polygraft")


@pytest.fixture
def frame() -> pd.DataFrame:
    """400 rows of every kind, with gaps; `late` and `delay` are what one wants to know."""
    chance = np.random.default_rng(0)
    rows = 400
    frame = pd.DataFrame(
        {
            "distance": chance.gamma(2, 500, rows),
            "wind": np.where(chance.random(rows) < 0.1, np.nan, chance.normal(10, 3, rows)),
            "carrier": chance.choice(["AA", "B6", "UA", None], rows, p=[0.5, 0.3, 0.19, 0.01]),
            "month": chance.integers(1, 13, rows),
            "holiday": chance.random(rows) < 0.1,
            "departs": pd.Timestamp("2013-01-01") + pd.to_timedelta(chance.integers(0, 364 * 86_400, rows), unit="s"),
        }
    )
    frame["late"] = np.where(chance.random(rows) < 0.1, None, np.where(frame["wind"].fillna(0) > 10, "yes", "no"))
    frame["delay"] = np.where(frame["late"].isna(), np.nan, chance.normal(7, 20, rows))
    return frame


@pytest.fixture
def folder(tmp_path: Path, frame: pd.DataFrame) -> Path:
    """A folder with the table as `t.parquet`."""
    frame.to_parquet(tmp_path / "t.parquet")
    return tmp_path
