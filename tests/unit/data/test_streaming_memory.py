"""A table of six times the allowed memory is cleaned below it, and checked with 26 bytes a row beside; what a process takes anyway, imports and kernels, is not counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.beyond_memory import CHECKING, GROUP, measure, write

ALLOWED = 48  # MiB, the least that is kept
TIMES = 6
PER_ROW = 26  # bytes: a hash and a split are held, and duplicates are counted on a sorted copy


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_a_table_of_six_times_the_allowed_memory_is_cleaned_below_it(tmp_path: Path) -> None:
    groups = -(-TIMES * ALLOWED * 2**20 // write(tmp_path / "small.parquet", 1))
    assert write(tmp_path / "large.parquet", groups) >= TIMES * ALLOWED * 2**20
    _, peak, rows, streamed = measure(tmp_path, "large", ALLOWED * 2**20)
    assert (rows, streamed) == (groups * GROUP, True)
    assert peak < ALLOWED


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_a_table_of_six_times_the_allowed_memory_is_checked_in_26_bytes_a_row_beside_it(tmp_path: Path) -> None:
    groups = -(-TIMES * ALLOWED * 2**20 // write(tmp_path / "small.parquet", 1))
    write(tmp_path / "large.parquet", groups)
    _, peak, rows, _ = measure(tmp_path, "large", ALLOWED * 2**20, CHECKING)
    assert rows == groups * GROUP
    assert peak < ALLOWED + PER_ROW * rows / 2**20
