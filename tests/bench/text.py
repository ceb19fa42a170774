"""Tokens a second of the text encoder, against the `tokenizers` library alone.

    python tests/bench/text.py [--rows 100000] [--repeats 5]

Both get the same texts (Zipf's law over 20,000 words, 5 to 60 words each) and the same fitted tokenizer. The library is asked for
its `encode_batch_fast` of a Python list of all texts, and its ids are left in lists; the encoder begins at the Arrow column
and ends with one int32 array. Repetitions are interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from polygraft.data.encoders.text import Text
from polygraft.data.plans import InputPlan
from polygraft.data.ragged import Ragged


def texts(rows: int) -> pa.ChunkedArray:
    """Sentences of made-up words, frequent ones short."""
    chance = np.random.default_rng(0)
    syllables = ["ba", "ke", "li", "mo", "nu", "ra", "sta", "ter", "vi", "zun"]
    words = ["".join(syllables[int(digit)] for digit in str(number)) for number in range(20_000)]
    lengths = chance.integers(5, 60, rows)
    drawn = np.minimum(chance.zipf(1.3, int(lengths.sum())), len(words)) - 1
    parts = np.split(drawn, np.cumsum(lengths)[:-1])
    return pa.chunked_array([[" ".join(words[i] for i in part) for part in parts]], pa.large_string())


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(by: str, column: pa.ChunkedArray, repeats: int) -> None:
    encoder = Text(None, by="words" if by == "words" else "byte_pairs", max_length=None)
    began = time.perf_counter()
    plan: InputPlan = encoder.fit("text", column, np.ones(len(column), bool))
    fitted = time.perf_counter() - began
    library, strings = Tokenizer.from_str(plan.state["tokenizer"]), column.to_pylist()
    found, _ = encoder.apply(plan, column)
    assert isinstance(found, Ragged)
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(seconds(lambda: encoder.apply(plan, column)))
        theirs.append(seconds(lambda: [each.ids for each in library.encode_batch_fast(strings)]))
    mine, its = (len(found.values) / statistics.median(each) / 1e6 for each in (ours, theirs))
    print(f"{by:<11} {fitted:7.1f} s  {mine:7.2f}  {its:7.2f}  {mine / its:6.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    column = texts(asked.rows)
    print(
        f"{asked.rows:,} texts; million tokens a second\n{'':<11} {'fit':>9}  {'ours':>7}  {'library':>7}  {'ratio':>7}"
    )
    for by in ("words", "byte_pairs"):
        measure(by, column, asked.repeats)


if __name__ == "__main__":
    main()
