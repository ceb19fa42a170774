"""What each method says it costs, counted: passes through the trunk, numbers in memory, numbers on the wire."""

from __future__ import annotations

import pytest

from balancing_costs import Counted, Wide, counted, of_two
from balancing_toy import CASES, TASKS
from polygraft.balancing.base import Balancer
from polygraft.balancing.collectives import ALIGN
from polygraft.balancing.gradients import Shards
from polygraft.core.catalogue import catalogue

COPIES = 6
"""Of the rows, which elementwise work on them may make at once: masks, sorted orders, moving averages."""


def trunk_passes(balancer: Balancer, mode: str, tasks: int) -> int:
    """K of each batch that is compared, and one of a followed one that is not; where nothing is seen by parameters, one each."""
    if mode != "parameters":
        return balancer.follows
    return tasks * min(balancer.batches, 2) + (balancer.batches > 2)


def held(balancer: Balancer, tasks: int) -> float:
    """How many P a single worker may hold: the rows, the two that come and go, the gradients whose mean is followed."""
    rows = tasks * min(balancer.batches, 2)
    return (rows * COPIES if balancer.elementwise or balancer.tracked else rows) + 1.1 + balancer.follows


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_step_goes_through_the_trunk_as_often_as_its_mode_says(name: str, mode: str) -> None:
    step = Counted(name, mode)
    step.step(1)
    assert step.backwards == trunk_passes(step.engine.balancer, mode, len(TASKS))


@pytest.mark.parametrize("mode", ["last_layer", "features"])
def test_measuring_the_agreement_costs_one_pass_a_task(mode: str) -> None:
    step = Counted("mgda", mode, agreement_every=5)
    step.step(5)
    assert step.backwards == 1 + len(TASKS)
    step.step(6)
    assert step.backwards == 1


@pytest.mark.parametrize("name", [name for name, mode in CASES if mode == "parameters"])
def test_one_worker_holds_the_rows_and_two_more(name: str) -> None:
    tasks = 4
    seen = counted(name, "parameters", Shards(1), tasks)
    assert seen["memory"] <= held(Wide(name, "parameters", Shards(1), tasks).engine.balancer, tasks) * seen["shared"]


@pytest.mark.parametrize(("name", "mode"), [case for case in CASES if case[1] != "parameters"])
def test_where_no_rows_are_kept_a_step_holds_about_one_gradient_of_each_batch_it_follows(name: str, mode: str) -> None:
    """Beside it K (rank + 1) width numbers, an eighth of P here, or the features' gradients, which are few."""
    seen = counted(name, mode, Shards(1), 4)
    follows = catalogue("balancing")[name].facts["follows"]
    assert seen["memory"] <= (0.4 + follows) * seen["shared"]


@pytest.mark.slow
def test_two_workers_hold_half_of_every_row_and_send_what_the_modes_say() -> None:
    tasks, workers, rank, width = 6, 2, 16, 288
    cases = [
        ("pcgrad", "parameters", tasks),
        ("graddrop", "parameters", tasks),
        ("sdmgrad", "parameters", tasks),
        ("pcgrad", "last_layer", tasks),
        ("mgda", "features", tasks),
        ("famo", "losses", tasks),
    ]
    for seen in of_two(cases):
        told = {(name, mode): each for (name, mode, _), each in zip(cases, seen, strict=True)}
        p = told["pcgrad", "parameters"]["shared"]
        small = told["pcgrad", "parameters"]["own"] + 3 * tasks * ALIGN + 4 * tasks + 4 * tasks**2 + 8 * ALIGN
        share = (workers - 1) / workers
        assert told["pcgrad", "parameters"]["memory"] <= (tasks / workers + 2.1) * p
        assert told["pcgrad", "parameters"]["sent"] <= (tasks + 1) * p * share + small
        assert told["graddrop", "parameters"]["sent"] <= (tasks + 1) * p * share + small
        assert told["sdmgrad", "parameters"]["sent"] <= (2 * tasks + 2) * p * share + 2 * small
        assert told["pcgrad", "last_layer"]["sent"] <= 2 * (p + tasks * (rank + 1) * width) * share + small
        assert told["mgda", "features"]["sent"] <= 2 * p * share + small
        assert told["famo", "losses"]["sent"] <= 2 * p * share + small


def test_every_method_says_what_it_costs() -> None:
    facts = {name: plugin.facts for name, plugin in catalogue("balancing").items()}
    for name, each in facts.items():
        if each["batches"] > 1:
            assert "batches a step" in each["cost"], name
        if "parameters" in each["modes"]:
            assert "K" in each["cost"], name
