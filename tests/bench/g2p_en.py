"""The pretrained g2p-en (Park and Kim 2019, https://github.com/Kyubyong/g2p) on the test words of tasks/g2p, as our suite is scored.

    python tests/bench/g2p_en.py [--part test]

Its GRU encoder and decoder are read from the package's checkpoint20.npz by path and decoded greedily by numpy, all words at
once; the package itself is not imported. It was trained on CMUdict, these test words most likely among them. It says stress; without it,
the digits are taken off what it says.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from polygraft.objectives.items import errors

Weights = Mapping[str, np.ndarray]
LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
PHONES = """AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1
EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH"""
SAID = ["<pad>", "<unk>", "<s>", "</s>", *PHONES.split()]
BEGIN, END, MOST = 2, 3, 20


def gru(x: np.ndarray, h: np.ndarray, weights: Weights, part: str) -> np.ndarray:
    """h' [rows, units] of x [rows, width]: r, z and n in this order, as torch has them."""
    ih = x @ weights[f"{part}_w_ih"].T + weights[f"{part}_b_ih"]
    hh = h @ weights[f"{part}_w_hh"].T + weights[f"{part}_b_hh"]
    (r, z, n), (r_h, z_h, n_h) = np.split(ih, 3, 1), np.split(hh, 3, 1)
    r, z = (1 / (1 + np.exp(-each)) for each in (r + r_h, z + z_h))
    return (1 - z) * np.tanh(n + r * n_h) + z * h


def said(words: list[str], weights: Weights) -> list[list[str]]:
    """The phones of each word, with their stress."""
    place = {letter: number for number, letter in enumerate(LETTERS)}
    codes = [[*(place.get(letter, 1) for letter in word), 2] for word in words]
    lengths, h = (
        np.array([len(each) for each in codes]),
        np.zeros((len(words), weights["enc_w_hh"].shape[1]), np.float32),
    )
    for step in range(lengths.max()):
        here = np.array([each[step] if step < len(each) else 0 for each in codes])
        h = np.where((step < lengths)[:, None], gru(weights["enc_emb"][here], h, weights, "enc"), h)
    last, found = np.full(len(words), BEGIN), []
    for _ in range(MOST):
        h = gru(weights["dec_emb"][last], h, weights, "dec")
        last = (h @ weights["fc_w"].T + weights["fc_b"]).argmax(1)
        found.append(last)
    rows = np.stack(found, 1)
    ends = np.where((rows == END).any(1), (rows == END).argmax(1), MOST)
    return [[SAID[code] for code in row[:end]] for row, end in zip(rows, ends, strict=True)]


def rates(said: list[list[str]], wanted: list[list[str]]) -> str:
    """PER and WER, in percent."""
    levels = sorted({each for row in (*said, *wanted) for each in row})
    codes = {level: number + 2 for number, level in enumerate(levels)}
    found = errors(_padded(said, codes), _padded(wanted, codes), torch.ones(len(said)))
    return f"PER {100 * found['error_rate']:.2f} %, WER {100 * found['wrong']:.2f} %"


def _padded(rows: list[list[str]], codes: Mapping[str, int]) -> Tensor:
    out = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for number, row in enumerate(rows):
        out[number, : len(row)] = torch.tensor([codes[each] for each in row])
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", default="test")
    part = parser.parse_args().part
    spec = importlib.util.spec_from_file_location("recipe", Path(__file__).parents[2] / "tasks/g2p/recipe.py")
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    rows = [row for row in recipe.words().to_pylist() if row["part"] == part]
    file = next(Path(str(each.locate())) for each in metadata.files("g2p-en") or () if each.name == "checkpoint20.npz")
    with np.load(file) as weights:
        found = said([row["word"] for row in rows], dict(weights))
    plain = [[each.rstrip("012") for each in row] for row in found]
    print(f"g2p-en on {len(rows):,} {part} words of tasks/g2p, greedy")
    print(f"with stress     {rates(found, [row['stressed'] for row in rows])}")
    print(f"without stress  {rates(plain, [row['phonemes'] for row in rows])}")


if __name__ == "__main__":
    main()
