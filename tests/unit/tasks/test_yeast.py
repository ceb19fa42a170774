"""The genes' table: 103 numbers and 14 labels, as counted by those who published it."""

from __future__ import annotations

from importlib import metadata
from types import ModuleType

import pyarrow.compute as pc
import pytest


def test_numbers_and_labels(yeast: ModuleType) -> None:
    try:
        metadata.version("river")
    except metadata.PackageNotFoundError:
        pytest.skip("needs river: pip install --no-deps river==0.26.0")
    table = yeast.yeast()
    assert len(table) == 2_417
    assert table.column_names == [*yeast.FEATURES, *yeast.LABELS]
    assert {str(table.schema.field(name).type) for name in yeast.LABELS} == {"bool"}
    assert sum(pc.sum(table[name]).as_py() for name in yeast.LABELS) == pytest.approx(
        4.237 * 2_417, abs=1
    )  # labels a gene
    assert pc.sum(table["Class14"]).as_py() == 34
