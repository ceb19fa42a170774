"""Apart: how many of a suite's workers keep parameters for the others and learn nothing themselves."""

from __future__ import annotations

from polygraft.core.catalogue import catalogue
from polygraft.suite.schema import Suite


def keepers(suite: Suite) -> int:
    """1 where `train.step` works apart, as its fact says, else 0. A keeper holds no shard, and mostly waits."""
    step = catalogue("training/steps", suite.folder).get(suite.train.step.name)
    return int(step is not None and step.facts.get("apart", False))
