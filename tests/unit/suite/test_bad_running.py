"""Bad training, workers, search: each fault says its place, what was found, what is allowed and the mend."""

from __future__ import annotations

import pytest

# (what stands in the good suite, what stands there instead, the one fault)
BENT = [
    ("steps: 2000", "steps: 0", "suite.yaml:17: train.steps: takes a number of at least 1, not 0."),
    (
        "steps: 2000",
        "steps: 2000, epochs: 3",
        "suite.yaml:17: train.epochs: steps: 2,000 is given, too. Keep one of them.",
    ),
    ("steps: 2000, ", "", "suite.yaml:17: train: says not how long. Write steps: 2000, or epochs: 5."),
    (
        "name: adamw",
        "name: adam",
        "suite.yaml:17: train.optimizer: name: takes 'adamw', 'sgd', not 'adam'. Did you mean 'adamw'?",
    ),
    ("lr: 1e-3", "lr: 0", "suite.yaml:17: train.optimizer.lr: takes a number of more than 0, not 0."),
    (
        "lr: 1e-3",
        "momentum: 0.9",
        "suite.yaml:17: train.optimizer.momentum: there is no such key. There are name, lr, weight_decay, betas, eps.",
    ),
    ("lr: 1e-3", "betas: [0.9]", "suite.yaml:17: train.optimizer.betas: takes 2 items, not 1."),
    ("lr: 1e-3", "lr: .inf", "suite.yaml:17: train.optimizer.lr: takes a finite number, not inf."),
    (
        "best: late/auc",
        "best: lat/auc",
        "suite.yaml:17: train.best: there is no task 'lat'. Did you mean 'late'? tasks has late, delay.",
    ),
    ("best: late/auc", "best: auc", "suite.yaml:17: train.best: takes task/metric, for example late/auc, not 'auc'."),
    (
        "best: late/auc",
        "best: delay/auc",
        "suite.yaml:17: train.best: the task 'delay' has no metric 'auc'. It has mae, rmse, r2, improvement.",
    ),
    ("best: late/auc", "device: gpu", "suite.yaml:17: train.device: takes auto, cpu, cuda or cuda:N, not 'gpu'."),
    (
        "best: late/auc",
        "schedule: {name: cosine, warmup: -1}",
        "suite.yaml:17: train.schedule.warmup: takes a number of at least 0, not -1.",
    ),
    (
        "best: late/auc",
        "step: jiont",
        "suite.yaml:17: train.step.name: no step is called 'jiont'. Did you mean 'joint'? `polygraft list steps` shows all 3.",
    ),
    (
        "batch_size: 1024",
        "batch_size: 1",
        "suite.yaml:17: train.batch_size: 1 rows cannot be cut into 2 shards. Take at least that many.",
    ),
    ("seed: 7", "workers: 0", "suite.yaml:2: workers.count: takes a number of at least 1, not 0."),
    ("seed: 7", "workers: two", "suite.yaml:2: workers: takes a whole number or a mapping with 'count', not 'two'."),
    (
        "seed: 7",
        "workers: {min: 2}",
        "suite.yaml:2: workers: min: and max: go together; count: alone is a fixed number.",
    ),
    ("seed: 7", "workers: {min: 3, max: 2}", "suite.yaml:2: workers.min: takes at most max: 2, not 3."),
    (
        "seed: 7",
        "workers: {min: 1, max: 2, count: 3}",
        "suite.yaml:2: workers.count: takes a number between min and max, not 3.",
    ),
    (
        "train: {",
        "workers: 4\ntrain: {shards: 3, ",
        "suite.yaml:18: train.shards: 3 shards are too few for 4 workers, each runs at least one. Leave shards out, or take at least 4.",
    ),
    (
        "seed: 7",
        "transfer: {terms: []}",
        "suite.yaml:2: transfer: plans are not built into this version. Leave transfer out: one phase then trains everything.",
    ),
    (
        "seed: 7",
        "seed: 7\nseed: 8",
        "suite.yaml:3: seed: the key 'seed' stands here again; it stood on line 2. Keep one of them.",
    ),
    (
        "seed: 7",
        "search: {balancer.d: {uniform: [0, 1]}}",
        "suite.yaml:2: search.balancer.d: balancer has no 'd'. It has name, c, power, gradients, rank, agreement_every, every.",
    ),
    (
        "seed: 7",
        "search: {balancer.c: {unifrom: [0, 1]}}",
        "suite.yaml:2: search.balancer.c: no distribution is called 'unifrom'. Did you mean 'uniform'? There are uniform, loguniform, quniform, randint, lograndint, choice.",
    ),
    (
        "seed: 7",
        "search: {balancer.c: {uniform: [1, 0]}}",
        "suite.yaml:2: search.balancer.c: uniform takes [low, high], not [1, 0].",
    ),
    (
        "seed: 7",
        "search: {balancer.c: 0.3}",
        "suite.yaml:2: search.balancer.c: takes one distribution, {name: arguments}, not 0.3.",
    ),
    ("seed: 7", "search: {seed.x: {choice: [1]}}", "suite.yaml:2: search.seed.x: seed is 0 and has nothing inside."),
    (
        "seed: 7",
        "search: {data.flights.clean.3.method: {choice: [1]}}",
        "suite.yaml:2: search.data.flights.clean.3.method: data.flights.clean: the list has no item '3'. It has 0 to 1: missing, outliers.",
    ),
]


@pytest.mark.parametrize(
    ("found", "instead", "fault"), BENT, ids=[instead.strip() or "nothing" for _, instead, _ in BENT]
)
def test_a_fault_says_the_place_and_the_mend(write, faults, good: str, found: str, instead: str, fault: str) -> None:
    assert good.count(found) == 1
    name = write(good.replace(found, instead))
    assert faults(name) == [fault]
