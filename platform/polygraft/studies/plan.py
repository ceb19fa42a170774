"""What a comparison consists of, decided before anything is run: its arms, and each run as a whole suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import Fault, UserError, nearest
from polygraft.core.seeding import numpy_generator
from polygraft.suite.identity import digest
from polygraft.suite.load import read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite, resolved

AGAINST = ("staged",)
"""What joint training may be held against beside single-task runs and tuned static weights."""
HEAVY, MOST_HEAVY = 3.0, 6
"""A candidate of static weights gives one task so many times the weight of each other; so many candidates of them."""

Kind = Literal["joint", "single", "static", "staged"]


@dataclass(frozen=True)
class Arm:
    """One way to train, with the words that stand for it in the CSV."""

    kind: Kind
    balancer: str
    sharing: str

    def __str__(self) -> str:
        return f"{self.balancer} {self.sharing}"


SINGLE = Arm("single", "single-task", "hard")
STAGED = Arm("staged", "staged", "pca")


@dataclass(frozen=True)
class Trial:
    """One run of an arm. suite: complete. tasks: those whose figures count. weights: of a candidate of static weights, by task."""

    arm: Arm
    seed: int
    suite: Suite
    tasks: tuple[str, ...]
    weights: Mapping[str, float] | None = None

    @property
    def run(self) -> str:
        """The run's id: equal suites have equal ids, so that no run is done twice, whatever arms it is part of."""
        learned = [name for name, task in self.suite.tasks.items() if task.weight > 0]
        alone = learned if len(learned) < len(self.suite.tasks) else []
        way = "staged" if self.arm.kind == "staged" else "alone" if alone else self.suite.balancer.name
        words = [way, *alone, self.suite.sharing.name, f"seed{self.seed}", digest(self.suite)[:10]]
        return "-".join(words)[-120:].lstrip("-_.")


@dataclass(frozen=True)
class Question:
    """What is compared. balancers, sharings: names, crossed; the suite's own where empty. seeds: how many, from the suite's on."""

    balancers: tuple[str, ...] = ()
    sharings: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    seeds: int = 3


def complete(suite: Suite, question: Question) -> Question:
    """The question with the suite's own words where it names none. Raises UserError for all wrong names at once."""
    faults = []
    for flag, room, names in (
        ("--balancers", "balancing", question.balancers),
        ("--sharing", "models/sharing", question.sharings),
    ):
        known = catalogue(room, suite.folder)
        for name in dict.fromkeys(names):
            faults += [Fault(flag, what) for key, what in known.problems(name, {}) if key == "name"]
    for name in question.against:
        if name not in AGAINST:
            has = f"There is {', '.join(AGAINST)}; single-task runs and static weights are always there."
            faults.append(
                Fault("--against", f"nothing to compare with is called '{name}'.{nearest(name, AGAINST)} {has}")
            )
    if question.seeds < 1:
        faults.append(Fault("--seeds", f"takes 1 or more, not {question.seeds}."))
    if len(suite.tasks) < 2:
        faults.append(
            Fault(suite.where("tasks"), "tasks: a comparison of joint with single-task training takes two tasks.")
        )
    if faults:
        raise UserError(faults)
    return Question(
        tuple(dict.fromkeys(question.balancers)) or (suite.balancer.name,),
        tuple(dict.fromkeys(question.sharings)) or (suite.sharing.name,),
        tuple(dict.fromkeys(question.against)),
        question.seeds,
    )


def trials(suite: Suite, question: Question) -> list[Trial]:
    """Every run that is known before any result is: all but the tuned static weights at further seeds.

    Raises UserError for what is wrong with the suites that come about, all at once.
    """
    found: list[Trial] = []
    faults: dict[Fault, None] = {}
    for make in _makers(suite, question):
        try:
            found.append(make())
        except UserError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise UserError(faults)
    return found


def _makers(suite: Suite, question: Question) -> list[Callable[[], Trial]]:
    seeds = seeds_of(suite, question)
    joint = [
        lambda b=b, s=s, seed=seed: Trial(Arm("joint", b, s), seed, jointly(suite, b, s, seed), tuple(suite.tasks))
        for b in question.balancers
        for s in question.sharings
        for seed in seeds
    ]
    alone = [
        lambda arm=arm, seed=seed, task=task: Trial(arm, seed, by_itself(suite, task, seed), (task,))
        for arm in (SINGLE, *([STAGED] if "staged" in question.against else []))
        for seed in seeds
        for task in suite.tasks
    ]
    weighed = [lambda w=w: weighted(suite, question, w, seeds[0]) for w in candidates(tuple(suite.tasks), suite.seed)]
    return [*joint, *alone, *weighed]


def seeds_of(suite: Suite, question: Question) -> range:
    """The suite's seed and those after it; every arm has a run at each of them."""
    return range(suite.seed, suite.seed + question.seeds)


def candidates(tasks: Sequence[str], seed: int) -> list[dict[str, float]]:
    """Static weights to choose from, each with sum K: equal ones, then one task at three times the weight of each other.

    Every task has its turn where there are few; of many, some, drawn by the seed.
    """
    turns = list(tasks)
    if len(turns) > MOST_HEAVY:
        turns = [str(each) for each in numpy_generator(seed, "static weights").permutation(turns)[:MOST_HEAVY]]
    share = len(tasks) / (HEAVY + len(tasks) - 1)
    uneven = [{task: share * (HEAVY if task == heavy else 1.0) for task in tasks} for heavy in turns]
    return [dict.fromkeys(tasks, 1.0), *uneven]


def weighted(suite: Suite, question: Question, weights: Mapping[str, float], seed: int) -> Trial:
    """A run of static weights, on the first way of sharing: the losses' plain sum, each times its suite's weight times this one."""
    arm = Arm("static", "static", question.sharings[0])
    tasks = {name: {"weight": suite.tasks[name].weight * weight} for name, weight in weights.items()}
    made = _changed(suite, {"seed": seed, "tasks": tasks, **_ways(suite, "equal", arm.sharing)})
    return Trial(arm, seed, made, tuple(suite.tasks), weights)


def jointly(suite: Suite, balancer: str, sharing: str, seed: int) -> Suite:
    """The suite with another balancer and way of sharing, on their defaults where they are not the suite's own."""
    return _changed(suite, {"seed": seed, **_ways(suite, balancer, sharing)})


def by_itself(suite: Suite, task: str, seed: int) -> Suite:
    """One task alone: one trunk, one head, its own tables, the same rows and features in the same order.

    Tasks of the same tables stay with weight 0: they are not learned, and their targets do not become features.
    Its weights are selected by the suite's `best` where that is one of its metrics, else by its improvement over the constant.
    """
    tables = set(suite.tasks[task].tables)
    tasks = {name: {"weight": float(name == task)} for name, each in suite.tasks.items() if set(each.tables) <= tables}
    asked = suite.train.best or ""
    better = metrics_of(suite, task)
    usual = "improvement" if "improvement" in better else next(iter(better), "improvement")
    best = asked if asked.partition("/")[0] == task else f"{task}/{usual}"
    data: dict[str, Any] = {name: {} for name in suite.data if name in tables}
    alone = {} if len(data) == len(suite.data) else {"mixture": {"name": "all"}}  # it may name tables that are gone
    changes = {
        "seed": seed,
        "data": data,
        "tasks": tasks,
        "train": {"best": best, **alone},
        **_ways(suite, "equal", "hard"),
    }
    return _changed(suite, changes)


def metrics_of(suite: Suite, task: str) -> dict[str, str]:
    """A task's metrics, `max` or `min` by name, as its objective's facts say."""
    objective = catalogue("objectives", suite.folder).get(suite.tasks[task].objective.name)
    return dict(objective.facts.get("better", {})) if objective else {}


def compared(suite: Suite) -> dict[str, str]:
    """The metrics that gains are made of, by `<task>/<metric>`: all but `improvement`, which says a loss or R2 once more."""
    return {
        f"{task}/{metric}": way
        for task in suite.tasks
        for metric, way in metrics_of(suite, task).items()
        if metric != "improvement"
    }


def _ways(suite: Suite, balancer: str, sharing: str) -> dict[str, Any]:
    """Balancer and sharing by name: the suite's own settings where it is the suite's own, else defaults.

    How often agreement is measured, and the sketch's rank, are the suite's in any case.
    """
    own = resolved(suite)
    usual = {key: own["balancer"][key] for key in ("rank", "agreement_every")}
    return {
        "balancer": own["balancer"] if balancer == suite.balancer.name else {"name": balancer, **usual},
        "sharing": own["sharing"] if sharing == suite.sharing.name else {"name": sharing},
    }


def _changed(suite: Suite, changes: Mapping[str, Any]) -> Suite:
    """The suite as a run of the study; under `data` and `tasks` only the named ones stay."""
    content = resolved(suite) | {"suite": f"{suite.suite}-compare", "search": {}}
    for key, value in changes.items():
        if key in ("data", "tasks"):
            content[key] = {name: content[key][name] | change for name, change in value.items()}
        elif key == "train":
            content[key] = content[key] | value
        else:
            content[key] = value
    return read(content, Origin(suite.file, suite.folder, {"": suite.file}))
