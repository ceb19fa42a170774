"""What forecasts are held against: who says that all stays as it is, and who repeats the same hour of the last season.

    python tests/bench/naive_forecasts.py [SUITE] [--set KEY=VALUE]

On the suite's own test labels, in its own scale: MASE of each task as the run has it, a mean over all horizons, and of each horizon.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import polygraft as pg
from polygraft.assembly.tables import prepare_tables, table_spec
from polygraft.data.preparation import raw_table
from polygraft.data.series import chains
from polygraft.objectives.metrics.forecasts import mean, scaled


def guesses(values: np.ndarray, shifted: list[np.ndarray], season: int, ahead: list[int]) -> dict[str, np.ndarray]:
    """By who guesses, [rows, horizons]. values: [rows]; shifted: for k = 0, 1, ..., the row k earlier, -1 where there is none."""

    def earlier(rows: int) -> np.ndarray:
        return np.where(shifted[rows] >= 0, values[shifted[rows]], np.nan)

    same_hour = [earlier(season * -(-each // season) - each) for each in ahead]
    return {"naive": np.stack([earlier(0)] * len(ahead), 1), "seasonal naive": np.stack(same_hour, 1)}


def mases(path: str, overrides: list[str]) -> dict[tuple[str, str], tuple[float, list[float]]]:
    """By task and who guesses: over all horizons, and of each. A guess that is not there counts in none."""
    suite = pg.load(path, set=overrides)
    (name,) = suite.data
    spec = table_spec(suite, name)
    assert spec.series is not None, "a suite of series"
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare_tables(suite, Path(folder))[name]
        table = raw_table(spec, Path(folder))
        made, rows = chains(spec.series, table), prepared.splits["test"]
        season = spec.series.season
        for task, each in suite.tasks.items():
            columns = [spec.series.shifted[column] for column in each.targets]
            values = table.column(columns[0][0]).to_numpy()
            shifted = [made.shifted(-back) for back in range(season + 1)]
            labels = torch.from_numpy(np.array(prepared.targets[task][rows])).double()
            scales = torch.tensor(prepared.target_info[task].scales, dtype=torch.float64)
            for who, guess in guesses(values, shifted, season, [ahead for _, ahead in columns]).items():
                cells = scaled(torch.from_numpy(guess[rows]), labels, scales)
                found[task, who] = (_mean(cells), [_mean(cells[:, [at]]) for at in range(len(columns))])
    return found


def _mean(cells: Tensor) -> float:
    return mean(cells, torch.ones(len(cells), dtype=cells.dtype))


def main() -> None:
    """Print a line for each task and guess."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="?", default="tasks/weather/suite.yaml")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    for (task, who), (whole, each) in mases(given.suite, given.set).items():
        print(f"naive  {task:10} {who:14}  MASE {whole:.4f}  by horizon {' '.join(f'{one:.3f}' for one in each)}")


if __name__ == "__main__":
    main()
