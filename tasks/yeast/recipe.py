"""What a gene of yeast is for: 14 groups of functions from its expression and its phylogenetic profile.

Source: the data set of Elisseeff and Weston 2002, "A kernel method for multi-labelled classification"
(https://papers.nips.cc/paper/2001/hash/39dcaf7a053dc372fbc391d4e6b5d693-Abstract.html), 2,417 genes with 103 numbers and 14 labels, read
by path from the package river, which is not imported.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pandas as pd
import pyarrow as pa

REQUIRES = ("river==0.26.0",)

FEATURES, LABELS = [f"Att{i}" for i in range(1, 104)], [f"Class{i}" for i in range(1, 15)]


def yeast() -> pa.Table:
    """The table of the suite: one row a gene; `Class1` ... `Class14` are truth values, several of which hold."""
    tail = "yeast.csv.gz"
    file = next(Path(str(each.locate())) for each in metadata.files("river") or () if each.name == tail)
    raw = pd.read_csv(file)[[*FEATURES, *LABELS]]
    return pa.Table.from_pandas(raw.astype(dict.fromkeys(LABELS, bool)), preserve_index=False).replace_schema_metadata(
        None
    )
