"""Rows that differ in nothing but spelling and rounding, fuzzy duplicates after standardisation (Elmagarmid et al. 2007, https://doi.org/10.1109/TKDE.2007.250581, section 2)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polygraft.data.quality.base import Check, Finding
from polygraft.data.row_hash import row_hashes
from polygraft.data.survey import Survey


class NearDuplicates(Check):
    """Rows of the sample that are no duplicates, but become ones with texts in lower case and single spaces, and numbers in 32 bits.

    Fewer digits would make neighbours alike that have nothing to do with each other. A table without texts and fractions has none.
    """

    def look(self, seen: Survey) -> Iterable[Finding]:
        rows = len(seen.sample)
        apart = seen.spec.split.column if seen.spec.split.by == "column" else None
        plain = {name: seen.sample.column(name).combine_chunks() for name in seen.columns if name != apart}
        exact = len(np.unique(row_hashes(plain, rows)))
        near = exact - len(np.unique(row_hashes({name: _folded(column) for name, column in plain.items()}, rows)))
        if near:
            words = f"{near:,} of {rows:,} sampled rows differ from another one in spelling or rounding alone"
            mend = "clean: [{name: levels, case: true}, {name: missing}]"
            yield Finding("near_duplicates", "warning", "", near, "rows", words, mend)


def _folded(column: pa.Array) -> pa.Array:
    type_ = column.type
    if pa.types.is_dictionary(type_):
        column, type_ = column.cast(type_.value_type), type_.value_type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pc.utf8_lower(pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"\s+", " "))
    if pa.types.is_floating(type_):
        return column.cast(pa.float32(), safe=False)
    return column
