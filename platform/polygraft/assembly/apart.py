"""Workers that learn apart: the whole work of one of them."""

from __future__ import annotations

from collections.abc import Mapping

from polygraft.assembly.experiments import experiment
from polygraft.assembly.mixing import total_steps
from polygraft.data.preparation import Prepared
from polygraft.suite.schema import Suite
from polygraft.training.steps.asynchronous import Asynchronous


def learn_apart(suite: Suite, prepared: Mapping[str, Prepared], rank: int, world: int) -> None:
    """What worker `rank` of `world` does, until it is let go. It has a part of the shards, as if the learners were all there are.

    Its steps are its own: it takes as many as there are, over the learners.
    """
    learners = world - 1
    shards = range((rank - 1) * suite.train.shards // learners, rank * suite.train.shards // learners)
    steps = -(-total_steps(suite, prepared) // learners)
    mine = suite.model_copy(update={"train": suite.train.model_copy(update={"steps": steps, "epochs": None})})
    running = experiment(mine, prepared, shards=shards)
    assert isinstance(running.step, Asynchronous)
    running.step.learn(running.state(None), running.stream)
