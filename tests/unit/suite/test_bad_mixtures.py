"""Mixtures, tables and balancers that do not go together: each fault with its line and its mend, all at once."""

from __future__ import annotations

import pytest

from polygraft.core.catalogue import catalogue
from polygraft.suite.load import load

METHODS, MIXTURES = catalogue("balancing"), catalogue("data/mixing").names()

TWO = """\
suite: two
data:
  flights: {source: flights.csv}
  weather: {source: weather.csv}
balancer: BALANCER
tasks:
  late: {data: flights, target: late, objective: classification}
  delay: {data: flights, target: delay, objective: regression}
  rain: {data: weather, target: rain, objective: regression}
train:
  steps: 9
  mixture: MIXTURE
"""


def two(balancer: str = "equal", mixture: str = "all") -> str:
    return TWO.replace("BALANCER", balancer).replace("MIXTURE", mixture)


@pytest.mark.parametrize(
    "mixture",
    [
        *("all", "uniform", "proportional", "annealed", "loss_driven", "{name: temperature, temperature: 5}"),
        "{name: fixed, shares: {flights: 3, weather: 0.5}}",
    ],
)
def test_a_mixture_is_a_name_or_a_name_with_settings(write, mixture: str) -> None:
    suite = load(write(two(mixture=mixture)))
    assert suite.train.mixture.name in mixture


@pytest.mark.parametrize(
    ("mixture", "wanted"),
    [
        (
            "{name: fixed, shares: {flights: 1, wether: 2}}",
            [
                "suite.yaml:12: train.mixture.shares.wether: there is no table 'wether'. Did you mean 'weather'? data has flights, weather.",
                "suite.yaml:12: train.mixture.shares: 'weather' is missing, so no step would take that table. Give it a number above 0.",
            ],
        ),
        (
            "{name: fixed, shares: {flights: 1, weather: 0}}",
            [
                "suite.yaml:12: train.mixture.shares.weather: with 0 no step would take this table. Give it a number above 0, or take it out of data."
            ],
        ),
        (
            "fixed",
            [
                "suite.yaml:12: train.mixture.shares: 'fixed' needs it: a mapping, each value a number >= 0.",
            ],
        ),
        (
            "{name: temperatur, temperature: 2}",
            [
                "suite.yaml:12: train.mixture.name: no mixture is called 'temperatur'. Did you mean 'temperature'? "
                "`polygraft list mixtures` shows all 7."
            ],
        ),
        (
            "{name: temperature, temperature: 0.5}",
            ["suite.yaml:12: train.mixture.temperature: takes a number >= 1, not 0.5."],
        ),
    ],
)
def test_a_mixture_that_leaves_a_table_out_or_is_none_is_refused(
    write, faults, mixture: str, wanted: list[str]
) -> None:
    assert faults(write(two(mixture=mixture))) == wanted


def test_a_table_that_no_task_reads_is_refused(write, faults) -> None:
    text = two().replace("data: weather", "data: flights")
    assert faults(write(text)) == [
        "suite.yaml:4: data.weather: no task learns from this table. Give it one, or take it out."
    ]


@pytest.mark.parametrize("mode", ["last_layer", "features"])
def test_gradients_at_a_cut_want_one_table(write, faults, mode: str) -> None:
    assert faults(write(two(f"{{name: mgda, gradients: {mode}}}"))) == [
        f"suite.yaml:5: balancer.gradients: {mode} wants one table for all tasks; these read several. Take auto, or parameters."
    ]


CUT = '''
"""A toy at the cut, nobody 2026."""
from polygraft.balancing.base import Weighting

class Cut(Weighting):
    """A toy."""
    needs = "gramian"
    modes = ("last_layer",)
'''


def test_a_balancer_without_the_mode_of_several_tables_is_refused(write, faults, tmp_path) -> None:
    (tmp_path / "plugins/balancing/cut.py").write_text(CUT)
    assert faults(write(two("cut"))) == [
        "suite.yaml:5: balancer: 'cut' works in last_layer alone, which wants one table for all tasks; these read several. "
        "Take a balancer that works in parameters."
    ]


def test_tasks_that_never_meet_cannot_be_compared(write, faults) -> None:
    alone = two("pcgrad", "uniform").replace("  delay: {data: flights, target: delay, objective: regression}\n", "")
    assert faults(write(alone)) == [
        "suite.yaml:5: balancer: 'pcgrad' compares the tasks of a step, but train.mixture: uniform takes one table a step, "
        "and each has one task alone. Take mixture: all, or a balancer on losses."
    ]
    assert load(write(two("pcgrad", "uniform"))).balancer.name == "pcgrad"
    assert load(write(alone.replace("pcgrad", "famo"))).balancer.name == "famo"
    assert load(write(alone.replace("uniform", "all"))).balancer.name == "pcgrad"


@pytest.mark.parametrize("balancer", [name for name in METHODS if METHODS[name].facts["batches"] > 1])
@pytest.mark.parametrize("mixture", MIXTURES)
def test_batches_that_a_method_compares_are_of_the_same_tables(write, faults, balancer: str, mixture: str) -> None:
    said = {"fixed": "{name: fixed, shares: {flights: 1, weather: 2}}"}.get(mixture, mixture)
    one_table = (
        two(balancer, said)
        .replace("data: weather", "data: flights")
        .replace("shares: {flights: 1, weather: 2}", "shares: {flights: 1}")
    )
    assert load(write(one_table.replace("  weather: {source: weather.csv}\n", ""))).balancer.name == balancer
    count = METHODS[balancer].facts["batches"]
    wanted = [
        f"suite.yaml:5: balancer: '{balancer}' compares {count} batches of the same tables in a step, but train.mixture: {mixture} "
        "draws one table for each. Take mixture: all, or another balancer."
    ]
    if mixture == "all":
        assert load(write(two(balancer, said))).balancer.name == balancer
    else:
        assert faults(write(two(balancer, said))) == wanted


def test_all_faults_are_told_at_once(write, faults) -> None:
    text = two("{name: pcgrad, gradients: last_layer}", "{name: fixed, shares: {flights: 1}}").replace(
        "data: weather, target: rain", "data: wether, target: rain"
    )
    found = faults(write(text))
    assert [line.split(": ")[1] for line in found] == ["balancer.gradients", "tasks.rain.data", "train.mixture.shares"]
