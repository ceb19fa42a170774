"""Codes of 1,000,000 texts of 1,000 and of 100,000 levels, vocabulary found and applied, and by hash, against pandas, scikit-learn and polars.

    python tests/bench/strings.py [--rows 1000000] [--repeats 5]

Every peer begins with the texts as it likes them best, in memory, finds the levels of all rows, and gives one code a row: pandas' `factorize`
sorted, scikit-learn's OrdinalEncoder on objects, polars' cast to Categorical (whose codes are in no order). Ours begins with Arrow's strings
and ends with codes by the levels' order, counts of levels for the cleaning steps included. Repetitions are interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from sklearn.preprocessing import OrdinalEncoder

from polygraft.data.columns import as_category, levels_of
from polygraft.data.encoders.base import Encoder
from polygraft.data.encoders.hashing import Hashing
from polygraft.data.encoders.vocabulary import Vocabulary
from polygraft.data.fitting import fit_category
from polygraft.data.kernels.encode import encode_codes


def ours(column: pa.ChunkedArray, encoder: Encoder) -> np.ndarray:
    """int32 [rows]."""
    conformed = as_category(column)
    plan = fit_category("c", conformed, chosen=np.ones(len(column), bool), encoder=encoder, steps=[])
    codes = np.empty(len(column), np.int32)
    encode_codes(conformed, *encoder.mapping(plan, levels_of(conformed)), codes)
    return codes


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(rows: int, levels: int, repeats: int) -> None:
    chance = np.random.default_rng(0)
    names = np.array([f"level {number:x}" for number in chance.permutation(levels)], dtype=object)
    drawn = names[chance.integers(0, levels, rows)]
    column = pa.chunked_array([pa.array(drawn, pa.string())])
    series, frame = pd.Series(drawn), pl.Series("c", drawn, dtype=pl.String)
    table = drawn[:, None]
    works: dict[str, Callable[[], object]] = {
        "vocabulary": lambda: ours(column, Vocabulary()),
        "hashing": lambda: ours(column, Hashing(2**16)),
        "pandas": lambda: pd.factorize(series, sort=True),
        "scikit-learn": lambda: OrdinalEncoder(dtype=np.int32).fit_transform(table),
        "polars": lambda: frame.cast(pl.Categorical).to_physical().to_numpy(),
    }
    assert np.array_equal(ours(column, Vocabulary()) - 1, pd.factorize(series, sort=True)[0])
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(seconds(work))
    typical = {name: statistics.median(taken) for name, taken in times.items()}
    told = "  ".join(
        f"{name} {taken * 1e3:.0f} ms ({taken / typical['vocabulary']:.1f}x)" for name, taken in typical.items()
    )
    print(f"strings  {rows:,} rows, {levels:,} levels: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    print(f"# {platform.processor() or platform.machine()}, pandas {pd.__version__}, polars {pl.__version__}")
    for levels in (1_000, 100_000):
        measure(asked.rows, levels, asked.repeats)


if __name__ == "__main__":
    main()
