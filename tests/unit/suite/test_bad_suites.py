"""Bad suites, tables, balancers, tasks: each fault says its place, what was found, what is allowed and the mend."""

from __future__ import annotations

import pytest

from polygraft.core.catalogue import catalogue

SECTIONS = "suite, seed, data, backbone, sharing, balancer, transfer, tasks, train, workers, storage, tracking, search"

# (what stands in the good suite, what stands there instead, the one fault)
BENT = [
    ("seed: 7", "sed: 7", f"suite.yaml:2: sed: there is no such key. Did you mean 'seed'? There are {SECTIONS}."),
    ("seed: 7", "seed: -1", "suite.yaml:2: seed: takes a number of at least 0, not -1."),
    ("seed: 7", "seed: 7.5", "suite.yaml:2: seed: takes a whole number, not 7.5."),
    ("seed: 7", "seed: null", "suite.yaml:2: seed: takes a whole number, not null."),
    ("suite: flights\n", "", "suite.yaml: suite: is missing."),
    (
        "suite: flights",
        "suite: a/b",
        "suite.yaml:1: suite: takes letters, digits, _ and -, a letter or digit first, not 'a/b'.",
    ),
    ("    source: recipe.py:flights\n", "", "suite.yaml:4: data.flights.source: is missing."),
    (
        "source: recipe.py:flights",
        "source: 3",
        "suite.yaml:5: data.flights.source: takes a text or a mapping, each value a text or a number or true or false, not 3.",
    ),
    (
        "month: category",
        "month: catgory",
        "suite.yaml:6: data.flights.columns.month: takes 'number', 'category', 'boolean', 'timestamp', 'text', 'list' or 'image', not 'catgory'. Did you mean 'category'?",
    ),
    ("drop: [tail]", "drop: tail", "suite.yaml:7: data.flights.drop: takes a list, not 'tail'."),
    ("drop: [tail]", "drop: [1]", "suite.yaml:7: data.flights.drop.0: takes a text, not 1."),
    (
        "drop: [tail]",
        "drop: [arr_late]",
        "suite.yaml:12: tasks.late.target: the column 'arr_late' is also dropped. Take it out of data.flights.drop; a target is no feature.",
    ),
    (
        "drop: [tail]",
        "encode: {arr_late: vocabulary}",
        "suite.yaml:12: tasks.late.target: the column 'arr_late' is also a feature: data.flights.encode names it. Take it out there.",
    ),
    (
        "drop: [tail]",
        "weight: arr_late",
        "suite.yaml:12: tasks.late.target: the column 'arr_late' is also the row weight of 'flights'.",
    ),
    (
        "drop: [tail]",
        "drop: [w]\n    weight: w",
        "suite.yaml:8: data.flights.weight: the column 'w' is also dropped. Take it out of data.flights.drop.",
    ),
    (
        "[missing, {",
        "[misssing, {",
        "suite.yaml:8: data.flights.clean.0.name: no cleaning step is called 'misssing'. Did you mean 'missing'? `polygraft list cleaning` shows all {cleaning}.",
    ),
    (
        "method: quantile",
        "method: quartile",
        "suite.yaml:8: data.flights.clean.1.method: takes 'quantile' or 'mad', not 'quartile'. Did you mean 'quantile'?",
    ),
    ("[missing, {", "[{fill: mean}, {", "suite.yaml:8: data.flights.clean.0.name: is missing."),
    (
        "[missing, {",
        "[3, {",
        "suite.yaml:8: data.flights.clean.0: takes a name, or a mapping of name: and settings, not 3.",
    ),
    (
        "by: random",
        "by: rndom",
        "suite.yaml:9: data.flights.split.by: takes 'random', 'time', 'group' or 'column', not 'rndom'. Did you mean 'random'?",
    ),
    (
        "by: random",
        "by: time",
        "suite.yaml:9: data.flights.split: by: time needs column:, the column that it looks at.",
    ),
    (
        "by: random",
        "by: random, column: day",
        "suite.yaml:9: data.flights.split.column: a random split looks at no column. Take by: time, by: group or by: column, or leave column out.",
    ),
    (
        "test: 0.2",
        "test: 20",
        "suite.yaml:9: data.flights.split.test: takes a share of the rows, 0 <= share < 1, not 20.0.",
    ),
    (
        "test: 0.2",
        "test: last",
        "suite.yaml:9: data.flights.split.test: takes a share of the rows, 0 <= share < 1, not 'last'.",
    ),
    (
        "test: 0.2",
        "test: 0.9",
        "suite.yaml:9: data.flights.split: validation 0.1 and test 0.9 leave no row for training.",
    ),
    (
        "validation: 0.1",
        "validation: 0",
        "suite.yaml:9: data.flights.split.validation: takes a share > 0: the best model is chosen on validation.",
    ),
    (
        "name: toy",
        "name: toi",
        "suite.yaml:10: balancer.name: no balancer is called 'toi'. Did you mean 'toy'? `polygraft list balancers` shows all {balancers}.",
    ),
    ("c: 0.3", "cc: 0.3", "suite.yaml:10: balancer.cc: 'toy' has no setting 'cc'. Did you mean 'c'? It has c, power."),
    ("c: 0.3", "c: -0.3", "suite.yaml:10: balancer.c: takes a number >= 0, not -0.3."),
    ("c: 0.3", "rank: 0", "suite.yaml:10: balancer.rank: takes a whole number >= 1 or 'full', not 0."),
    (
        "c: 0.3",
        "gradients: features",
        "suite.yaml:10: balancer.gradients: 'toy' is defined on last_layer and parameters, not on features. Take auto or one of those.",
    ),
    ("c: 0.3", "every: 0", "suite.yaml:10: balancer.every: takes a number of at least 1, not 0."),
    (
        "{name: toy, c: 0.3}",
        "{name: graddrop, every: 5}",
        "suite.yaml:10: balancer.every: 'graddrop' combines the gradients element by element and has no weights to reuse. "
        "Leave every out, or take a balancer that gives each task a weight.",
    ),
    (
        "{name: toy, c: 0.3}",
        "{name: fixed, weights: {late: 2, dela: 0.5}}",
        "suite.yaml:10: balancer.weights.dela: there is no task 'dela'. Did you mean 'delay'? tasks has late, delay.",
    ),
    (
        "{name: toy, c: 0.3}",
        "{name: fixed, weights: {late: -1}}",
        "suite.yaml:10: balancer.weights: takes a mapping, each value a number >= 0 or null, not {'late': -1}.",
    ),
    (
        "data: flights, target: arr_late",
        "data: flihts, target: arr_late",
        "suite.yaml:12: tasks.late.data: there is no table 'flihts'. Did you mean 'flights'? data has flights.",
    ),
    ("data: flights, target: arr_late", "target: arr_late", "suite.yaml:12: tasks.late.data: is missing."),
    ("objective: classification", "head: dense", "suite.yaml:12: tasks.late.objective: is missing."),
    (
        "target: arr_late",
        "target: 3",
        "suite.yaml:12: tasks.late.target: takes a text or a list, each item a text or null, not 3.",
    ),
    (
        "  delay:",
        "  de/lay:",
        "suite.yaml:13: tasks.de/lay: takes a name of letters, digits, _ and -, a letter first, not 'de/lay'.",
    ),
    (
        "loss: mse",
        "loss: msee",
        "suite.yaml:16: tasks.delay.objective.loss: takes 'mse', 'mae' or 'huber', not 'msee'. Did you mean 'mse'?",
    ),
    (
        "target: arr_late",
        "target: arr_late, each: carrier",
        "suite.yaml:12: tasks.late.each: one task of each value is not built into this version. Write the tasks out.",
    ),
    (
        "data: flights, target: arr_late",
        "data: [flights, flights], target: arr_late",
        "suite.yaml:12: tasks.late.data: 'classification' learns from 1 table, not 2.",
    ),
    (", target: arr_late", "", "suite.yaml:12: tasks.late.target: is missing; 'classification' predicts one column."),
    (
        "target: arr_delay",
        "target: [arr_delay, dep_delay]",
        "suite.yaml:15: tasks.delay.target: 'regression' predicts one column, not 2. Make a task of each.",
    ),
]


def counted(fault: str) -> str:
    """With the numbers of plugins that there are now."""
    rooms = {"{balancers}": len(catalogue("balancing")) + 1, "{cleaning}": len(catalogue("data/cleaning"))}
    for word, count in rooms.items():
        fault = fault.replace(word, str(count))
    return fault


@pytest.mark.parametrize(
    ("found", "instead", "fault"), BENT, ids=[instead.strip() or "nothing" for _, instead, _ in BENT]
)
def test_a_fault_says_the_place_and_the_mend(write, faults, good: str, found: str, instead: str, fault: str) -> None:
    assert good.count(found) == 1
    name = write(good.replace(found, instead))
    assert faults(name) == [counted(fault)]
