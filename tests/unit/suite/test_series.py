"""Series in a suite: what would show a row its own label, or one part another's, is refused with its line and its mend."""

from __future__ import annotations

import pytest

from polygraft.suite.load import load

SUITE = """\
suite: loads
data:
  loads:
    source: loads.csv
    series:
      time: when
      by: [site]
      SAID
    split: SPLIT
tasks:
  now: {data: loads, target: load, objective: regression}
  later: {data: loads, target: load ahead 2, objective: regression}
train: {steps: 9}
"""


def suite(said: str, split: str = "{by: time, column: when}") -> str:
    return SUITE.replace("SAID", said).replace("SPLIT", split)


def test_a_windows_short_form_is_its_length(write) -> None:
    series = load(write(suite("windows: {load: {length: 9, lag: 1}, wind: 3}"))).data["loads"].series
    assert series is not None
    assert {name: (each.length, each.lag) for name, each in series.windows.items()} == {"load": (9, 1), "wind": (3, 0)}


@pytest.mark.parametrize(
    ("said", "split", "wanted"),
    [
        (
            "windows: {load: 9}",
            "{by: time, column: when}",
            "suite.yaml:8: data.loads.series.windows.load: 'load' is the target of task 'now', and a window with lag: 0 ends "
            "with the row's own value. Take {length: 9, lag: 1}.",
        ),
        ("ahead: {load: [2]}", "{by: random}", "suite.yaml:8: data.loads.series.ahead: "),
        ("lags: {load: [0]}", "{by: time, column: when}", "suite.yaml:8: data.loads.series.lags.load.0: "),
        ("lags: {load: []}", "{by: time, column: when}", "suite.yaml:8: data.loads.series.lags.load: "),
        ("windows: {load: {lag: 1}}", "{by: time, column: when}", "suite.yaml:8: data.loads.series.windows.load"),
        (
            "windows: {load: [1]}",
            "{by: time, column: when}",
            "suite.yaml:8: data.loads.series.windows.load: takes a whole",
        ),
        ("aheed: {load: [1]}", "{by: time, column: when}", "suite.yaml:8: data.loads.series.aheed: "),
    ],
)
def test_each_fault_has_its_line(write, faults, said: str, split: str, wanted: str) -> None:
    told = faults(write(suite(said, split)))
    assert any(wanted in each for each in told), told
