"""What a comparison consists of, decided before anything is run: the arms that a question asks for, and each of their runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import Fault, UserError, nearest
from polygraft.core.seeding import numpy_generator
from polygraft.studies.arms import FEATURES, SINGLE, STAGED, Arm, Trial
from polygraft.studies.variants import by_itself, jointly, metrics_of, weighed
from polygraft.suite.schema import Suite

AGAINST = {"staged": FEATURES, **{f"staged:{each}": (each,) for each in FEATURES}}
"""What joint training may be held against beside single-task runs and tuned static weights: the staged pipeline on these features."""
HEAVY, MOST_HEAVY = 3.0, 6
"""A candidate of static weights gives one task so many times the weight of each other; so many candidates of them."""


@dataclass(frozen=True)
class Question:
    """What is compared. balancers, sharings: names, crossed; the suite's own where empty. against: words of AGAINST. seeds: how
    many, from the suite's on.
    """

    balancers: tuple[str, ...] = ()
    sharings: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    seeds: int = 3

    @property
    def features(self) -> tuple[str, ...]:
        """What the staged pipeline is to have been given: each once."""
        return tuple(dict.fromkeys(each for word in self.against for each in AGAINST[word]))


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
            found += make()
        except UserError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise UserError(faults)
    return found


def _makers(suite: Suite, question: Question) -> list[Callable[[], list[Trial]]]:
    seeds = seeds_of(suite, question)
    joint = [
        lambda b=b, s=s, seed=seed: [Trial(Arm("joint", b, s), seed, jointly(suite, b, s, seed), tuple(suite.tasks))]
        for b in question.balancers
        for s in question.sharings
        for seed in seeds
    ]
    single = [
        lambda seed=seed, task=task: [Trial(SINGLE, seed, by_itself(suite, task, seed), (task,))]
        for seed in seeds
        for task in suite.tasks
    ]
    staged = [lambda f=f, seed=seed: _staged(suite, f, seed) for f in question.features for seed in seeds]
    static = [lambda w=w: [weighted(suite, question, w, seeds[0])] for w in candidates(tuple(suite.tasks), suite.seed)]
    return [*joint, *single, *staged, *static]


def _staged(suite: Suite, features: str, seed: int) -> list[Trial]:
    """The run that fits the features of every table, and after it each task by itself on them."""
    arm = STAGED[features]
    fits = Trial(arm, seed, jointly(suite, "equal", "hard", seed), ())
    alone = [Trial(arm, seed, by_itself(suite, task, seed), (task,), after=fits.run) for task in suite.tasks]
    return [fits, *alone]


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
    """A run of static weights, on the first way of sharing."""
    arm = Arm("static", "static", question.sharings[0])
    return Trial(arm, seed, weighed(suite, arm.sharing, weights, seed), tuple(suite.tasks), weights)


def compared(suite: Suite) -> dict[str, str]:
    """The metrics that gains are made of, by `<task>/<metric>`: all but `improvement`, which says a loss or R2 once more."""
    return {
        f"{task}/{metric}": way
        for task in suite.tasks
        for metric, way in metrics_of(suite, task).items()
        if metric != "improvement"
    }
