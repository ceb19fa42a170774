"""Cleaning 1,000,000 x 20 with 5 % nulls: impute the median, winsorise at the quantiles .01 and .99, standardise.

    python tests/bench/cleaning.py [--rows 1000000] [--repeats 5]

Every peer gets the table as it likes it best, in memory, does the same three operations, and gives one float32 matrix:
scikit-learn's SimpleImputer and StandardScaler with numpy's quantiles between them; polars' lazy expressions, two queries.
Bounds are quantiles of the known values for all. Repetitions are interleaved; medians are printed, and CPU time (of all threads) in brackets, which a busy machine moves less.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from polygraft.data.cleaning.base import Cleaning
from polygraft.data.cleaning.missing import Missing
from polygraft.data.cleaning.outliers import Outliers
from polygraft.data.encoders.standard import Standard
from polygraft.data.fitting import fit_number
from polygraft.data.kernels.encode import encode_numbers
from polygraft.data.kernels.threads import each, threads
from polygraft.data.known import Held
from polygraft.data.plans import NumberPlan

LOW, HIGH = 0.01, 0.99


def data(rows: int, columns: int) -> np.ndarray:
    """float64 [columns, rows], NaN where null: normal, skewed, and whole numbers in turn."""
    chance = np.random.default_rng(0)
    draws: list[Any] = [
        chance.normal,
        lambda size: chance.gamma(1.5, 100, size),
        lambda size: chance.poisson(20, size),
    ]
    values = np.stack([draws[j % 3](size=rows).astype(np.float64) for j in range(columns)])
    values[chance.random(values.shape) < 0.05] = np.nan
    return values


def fit_polygraft(columns: list[pa.ChunkedArray]) -> list[NumberPlan]:
    """One plan a column, several at once, as data/fitting.py does it."""
    chosen = np.ones(len(columns[0]), bool)
    steps: list[Cleaning] = [Missing(indicator=False), Outliers(low=LOW, high=HIGH)]
    return each(lambda column: fit_number("x", Held(column, chosen), encoder=Standard(), steps=steps), columns)


def clean_sklearn(values: np.ndarray) -> np.ndarray:
    """[rows, columns] float64 with NaN -> float32."""
    filled = SimpleImputer(strategy="median", copy=True).fit_transform(values)
    for j in range(values.shape[1]):
        known = values[:, j][~np.isnan(values[:, j])]
        low, high = np.quantile(known, [LOW, HIGH])
        np.clip(filled[:, j], low, high, out=filled[:, j])
    return StandardScaler(copy=False).fit_transform(filled).astype(np.float32)


def clean_polars(frame: pl.DataFrame) -> np.ndarray:
    """One query finds medians and quantiles, the next fills, clips and standardises."""
    found = (
        frame.lazy()
        .select(
            pl.all().median().name.suffix("_fill"),
            pl.all().quantile(LOW, "linear").name.suffix("_low"),
            pl.all().quantile(HIGH, "linear").name.suffix("_high"),
        )
        .collect()
        .row(0, named=True)
    )
    clipped = [
        pl.col(name).fill_null(found[f"{name}_fill"]).clip(found[f"{name}_low"], found[f"{name}_high"])
        for name in frame.columns
    ]
    scaled = [
        ((pl.col(name) - pl.col(name).mean()) / pl.col(name).std(ddof=0)).cast(pl.Float32) for name in frame.columns
    ]
    return frame.lazy().select(clipped).select(scaled).collect().to_numpy(order="c")


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """(elapsed, CPU of all threads)."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def rank_error(values: np.ndarray, plans: list[NumberPlan]) -> float:
    """The largest distance between a found quantile's rank and the rank asked for, as a share of the known values."""
    worst = 0.0
    for column, plan in zip(values, plans, strict=True):
        known = np.sort(column[~np.isnan(column)])
        for bound, fraction in ((plan.fill, 0.5), (plan.low, LOW), (plan.high, HIGH)):
            first, last = (np.searchsorted(known, bound, side) / len(known) for side in ("left", "right"))
            worst = max(worst, first - fraction, fraction - last)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    values = data(arguments.rows, arguments.columns)
    columns = [pa.chunked_array([pa.array(column, mask=np.isnan(column))]) for column in values]
    by_row = np.ascontiguousarray(values.T)
    frame = pl.DataFrame({f"c{j}": pl.Series(column).fill_nan(None) for j, column in enumerate(values)})

    plans = fit_polygraft(columns)
    out = encode_numbers(columns, plans, arguments.rows)
    for name, other in (("sklearn", clean_sklearn(by_row)), ("polars", clean_polars(frame))):
        assert np.allclose(out, other, atol=1e-3), f"{name} makes something else"

    works: dict[str, Callable[[], object]] = {
        "fit": lambda: fit_polygraft(columns),
        "transform": lambda: encode_numbers(columns, plans, arguments.rows),
        "copy": lambda: out.copy(),
        "polars": lambda: clean_polars(frame),
        "sklearn": lambda: clean_sklearn(by_row),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(arguments.repeats):
        for name, work in works.items():
            times[name] += [seconds(work) for _ in range(5 if name in ("transform", "copy") else 1)]
    typical, cpu = (
        {name: statistics.median(each[kind] for each in taken) for name, taken in times.items()} for kind in (0, 1)
    )
    both, both_cpu = (each["fit"] + each["transform"] for each in (typical, cpu))
    size = f"{arguments.rows:,} x {arguments.columns}, 5 % nulls"
    print(
        f"# {platform.processor() or platform.machine()}, {threads()} threads, numpy {np.__version__}, polars {pl.__version__}"
    )
    for peer in ("sklearn", "polars"):
        print(
            f"cleaning fit + transform  {size}  {typical[peer] / both:.1f}x faster than {peer}"
            f"  ({both * 1e3:.0f} ms / {typical[peer] * 1e3:.0f} ms, {arguments.repeats} repeats)"
            f"  [cpu {both_cpu * 1e3:.0f} / {cpu[peer] * 1e3:.0f} ms]"
        )
    print(
        f"cleaning transform  {size}  {typical['transform'] / typical['copy']:.2f}x a bare copy of the result"
        f"  ({typical['transform'] * 1e3:.1f} ms / {typical['copy'] * 1e3:.1f} ms, {5 * arguments.repeats} repeats)"
        f"  [cpu {cpu['transform'] * 1e3:.1f} / {cpu['copy'] * 1e3:.1f} ms]"
    )
    print(f"cleaning quantiles  {size}  rank error {rank_error(values, plans):.4%}")


if __name__ == "__main__":
    main()
