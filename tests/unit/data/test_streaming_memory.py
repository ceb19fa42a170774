"""A table of six times the allowed memory is cleaned below it; what a process takes anyway, imports and kernels, is not counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.beyond_memory import GROUP, measure, write

ALLOWED = 48  # MiB, the least that is kept
TIMES = 6


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_a_table_of_six_times_the_allowed_memory_is_cleaned_below_it(tmp_path: Path) -> None:
    groups = -(-TIMES * ALLOWED * 2**20 // write(tmp_path / "small.parquet", 1))
    assert write(tmp_path / "large.parquet", groups) >= TIMES * ALLOWED * 2**20
    _, peak, rows, streamed = measure(tmp_path, "large", ALLOWED * 2**20)
    assert (rows, streamed) == (groups * GROUP, True)
    assert peak < ALLOWED
