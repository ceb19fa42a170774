"""What a run's measurements are summed up to, where tasks have no label in some steps."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from polygraft.studies.affinity import Affinity, drawn, read, summed_up, write
from polygraft.studies.grouping import Grouping
from polygraft.training.affinity import Affinities

NAN = math.nan
STEPS = [
    Affinities(0, torch.tensor([[1.0, 2, NAN], [3, 4, NAN], [NAN] * 3]), torch.tensor([[1.0, 3, NAN], [2, 4, NAN], [NAN] * 3])),
    Affinities(10, torch.tensor([[5.0, NAN, NAN], [NAN] * 3, [NAN, NAN, 6]]), None),
    Affinities(50, torch.tensor([[3.0, 6, NAN], [1, 2, NAN], [NAN] * 3]), torch.tensor([[2.0, 5, NAN], [1, 2, NAN], [NAN] * 3])),
]  # fmt: skip
NAMES = ("a", "b", "c")


def test_a_mean_is_over_the_steps_that_saw_both_tasks() -> None:
    found = summed_up(NAMES, NAMES, STEPS)
    np.testing.assert_array_equal(found.first_order, [[3, 4, NAN], [2, 3, NAN], [NAN, NAN, 6]])
    np.testing.assert_array_equal(found.ahead, [[1.5, 4, NAN], [1.5, 3, NAN], [NAN] * 3])
    assert (found.measured, found.looks) == (3, 2)
    assert found.agreement == pytest.approx(np.corrcoef([2, 3, 6, 1], [3, 2, 5, 1])[0, 1])


def test_what_was_never_seen_is_null_in_the_file_and_blank_on_the_page(tmp_path: Path) -> None:
    found = summed_up(NAMES, NAMES, STEPS)
    write(found, tmp_path / "found.json")
    text = (tmp_path / "found.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["first_order"][0] == [3, 4, None]
    again = read(tmp_path / "found.json")
    np.testing.assert_array_equal(again.first_order, found.first_order)
    assert (again.tasks, again.agreement) == (found.tasks, found.agreement)
    told = drawn("toy", Affinity("run", tmp_path, tmp_path / "page.html", found, Grouping(((0, 1), (2,)), 6.0)))
    assert "a onto b: 1</title>" in told
    assert "a onto c:" not in told
