"""Nine men say the vowels a and e: who was it?

Source: Japanese Vowels (Kudo, Toyama and Shimbo 1999, https://doi.org/10.1016/S0167-8655(99)00077-X;
https://archive.ics.uci.edu/dataset/128), twelve coefficients of linear prediction in 7 to 29 steps, 270 training and 370 test
utterances, read by path from the package aeon, which is not imported.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pyarrow as pa

REQUIRES = ("aeon==1.6.0",)

CHANNELS = 12


def vowels() -> pa.Table:
    """The table of the suite: the training utterances, then the test ones; `part` says which is which."""
    rows = [(part, *read(line)) for part in ("train", "test") for line in lines(part)]
    columns = {f"c{channel}": [series[channel] for _, series, _ in rows] for channel in range(CHANNELS)}
    return pa.table(columns | {"speaker": [speaker for _, _, speaker in rows], "part": [part for part, _, _ in rows]})


def lines(part: str) -> list[str]:
    """The utterances of one of the two files, which stand below its line `@data`."""
    tail = f"JapaneseVowels_{part.upper()}.ts"
    file = next(Path(str(each.locate())) for each in metadata.files("aeon") or () if each.name == tail)
    text = file.read_text(encoding="utf-8")
    return text[text.index("@data") :].splitlines()[1:]


def read(line: str) -> tuple[list[list[float]], str]:
    """`1,2:3,4:...:speaker`: the channels one after the other, each a list of steps; and the class."""
    *channels, speaker = line.split(":")
    return [[float(value) for value in channel.split(",")] for channel in channels], speaker.strip()
