"""How often each training row comes, as the table's sampler decides it once the row steps have spoken."""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa

from polygraft.data.checks import Checked
from polygraft.data.row_steps import training_rows
from polygraft.data.samplers import registry as samplers
from polygraft.data.samplers.base import Sampler
from polygraft.data.spec import TableSpec


def sample(spec: TableSpec, table: pa.Table, checked: Checked) -> np.ndarray | None:
    """Float64 [rows], 0 for rows that are not trained on; None where each training row comes once an epoch.

    Where a drawn row's weight no longer counts, `checked.weights` of the training rows become 1. Raises UserError.
    """
    sampler = cast(Sampler, samplers.make(*spec.sampling, beside=spec.plugins))
    if sampler.takes == "once":
        return None
    rows = training_rows(spec, table, checked, place="sampling")
    shares = np.asarray(sampler.shares(rows), np.float64)
    if shares.shape != (len(rows),) or not np.isfinite(shares).all() or (shares < 0).any() or not (shares > 0).any():
        raise rows.error("name", f"'{spec.sampling[0]}' gave no share, 0 or more, for each of {len(rows):,} rows.")
    found = np.zeros(table.num_rows)
    found[rows.numbers] = shares
    if not sampler.weighs:
        checked.weights[rows.numbers] = 1
    return found
