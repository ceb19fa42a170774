"""Text that is no suite, and suites with several faults: all are said at once, none twice."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "suite.yaml: the suite is empty. `polygraft init` writes one."),
        (b"# nothing\n", "suite.yaml: the suite is empty. `polygraft init` writes one."),
        (b"- a\n- b\n", "suite.yaml:1: a suite is a mapping of keys, not a list."),
        (b"\n\nflights\n", "suite.yaml:3: a suite is a mapping of keys, not 'flights'."),
        (b"suite: a\nseed: \xe9t\xe9\n", "suite.yaml:2: byte 0xe9 is no UTF-8. Save the file as UTF-8."),
        (b"suite: a\ndata:\n\tt: 1\n", "suite.yaml:3: a tab cannot indent YAML; use spaces."),
        (b"suite: a\nseed: [1, 2\n", "suite.yaml:3: this is not YAML: expected ',' or ']', but got '<stream end>'."),
        (b"suite: a\nseed: a: b\n", "suite.yaml:2: this is not YAML: mapping values are not allowed here."),
        (b"suite: a\n---\nsuite: b\n", "suite.yaml:2: this is not YAML: but found another document."),
        (b"suite: &x a\nseed: *x\n", "suite.yaml:1: a suite repeats itself in full: anchors and aliases are not read."),
        (
            b"suite: !!python/object:os.system a\n",
            "suite.yaml:1: suite: tags (tag:yaml.org,2002:python/object:os.system) are not read.",
        ),
        (b"? [a, b]\n: 1\n", "suite.yaml:1: the suite: a key is a text."),
    ],
)
def test_what_is_no_yaml_says_where(write, faults, text: bytes, fault: str) -> None:
    assert faults(write(text)) == [fault]


def test_a_suite_that_is_not_there_says_so(write, faults) -> None:
    assert faults("nowhere.yaml") == [
        "nowhere.yaml: no such file or directory. A suite is a YAML file; `polygraft init` writes one."
    ]


def test_all_faults_are_said_at_once_in_the_order_of_the_lines(write, faults, good: str) -> None:
    bent = good
    for found, instead in [
        ("seed: 7", "sed: 7"),
        ("month: category", "month: catgory"),
        ("c: 0.3", "c: -1"),
        ("objective: classification", "objective: clasification"),
        ("data: flights\n", "data: fligts\n"),
        ("batch_size: 1024", "batch_size: many"),
        ("best: late/auc", "best: lte/auc"),
    ]:
        bent = bent.replace(found, instead)
    told = faults(write(bent + "search: {balancer.c: {uniform: 3}, train.lr: {uniform: [0, 1]}}\n"))
    assert [line.split(": ")[0] + ":" + line.split(": ")[1] for line in told] == [
        "suite.yaml:2:sed",
        "suite.yaml:6:data.flights.columns.month",
        "suite.yaml:10:balancer.c",
        "suite.yaml:12:tasks.late.objective.name",
        "suite.yaml:14:tasks.delay.data",
        "suite.yaml:17:train.batch_size",
        "suite.yaml:17:train.best",
    ]


def test_a_fault_is_not_said_twice_over(write, faults, good: str) -> None:
    """What hangs on a wrong key is not complained about: a table that is wrong is still a table of that name."""
    told = faults(write(good.replace("    source: recipe.py:flights\n", "").replace("steps: 2000", "steps: none")))
    assert told == [
        "suite.yaml:4: data.flights.source: is missing.",
        "suite.yaml:16: train.steps: takes a whole number, not 'none'.",
    ]


def test_what_is_left_of_a_list_is_still_looked_at(write, faults, good: str) -> None:
    told = faults(write(good.replace("drop: [tail]", "drop: [1, arr_late, 2]")))
    assert [line.split(": ")[1] for line in told] == ["data.flights.drop.0", "data.flights.drop.2", "tasks.late.target"]


def test_a_suite_without_tables_and_tasks_says_both(write, faults) -> None:
    assert faults(write("suite: a\ndata: {}\ntasks: {}\ntrain: {steps: 1}\n")) == [
        "suite.yaml:2: data: is empty; a suite has at least one table.",
        "suite.yaml:3: tasks: is empty; a suite has at least one task.",
    ]


def test_list_items_know_their_lines(write, faults, good: str) -> None:
    text = good.replace(
        "    clean: [missing, {name: outliers, method: quantile}]\n",
        "    clean:\n      - missing\n      - name: outliers\n        low: 3\n",
    )
    assert faults(write(text)) == ["suite.yaml:11: data.flights.clean.1.low: takes a number >= 0 and <= 0.5, not 3."]
