"""The ways to train that a comparison sets against each other, and one run of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from polygraft.suite.identity import digest
from polygraft.suite.schema import Suite

Kind = Literal["joint", "single", "static", "staged"]
FEATURES = ("pca", "autoencoder")
"""What the staged pipeline's frozen features may be."""


@dataclass(frozen=True)
class Arm:
    """One way to train, with the words that stand for it in the CSV."""

    kind: Kind
    balancer: str
    sharing: str

    def __str__(self) -> str:
        return f"{self.balancer} {self.sharing}"

    @property
    def word(self) -> str:
        """`single`, `static`, `staged:pca`: what a verdict is against."""
        return f"staged:{self.sharing}" if self.kind == "staged" else self.kind


SINGLE = Arm("single", "single-task", "hard")
STAGED = {features: Arm("staged", "staged", features) for features in FEATURES}


@dataclass(frozen=True)
class Trial:
    """One run of an arm. suite: complete. weights: of a candidate of static weights, by task.

    tasks: those whose figures count; none where it fits features. after: the run that fitted those that it stands on.
    """

    arm: Arm
    seed: int
    suite: Suite
    tasks: tuple[str, ...]
    weights: Mapping[str, float] | None = None
    after: str | None = None

    @property
    def fits(self) -> bool:
        """Whether it is a first stage: features, no task."""
        return not self.tasks

    @property
    def run(self) -> str:
        """The run's id: equal suites have equal ids, so that no run is done twice, whatever arms it is part of."""
        learned = [name for name, task in self.suite.tasks.items() if task.weight > 0]
        alone = learned if len(learned) < len(self.suite.tasks) else []
        staged = f"{'features' if self.fits else 'staged'}-{self.arm.sharing}"
        way = staged if self.arm.kind == "staged" else "alone" if alone else self.suite.balancer.name
        words = [way, *alone, self.suite.sharing.name, f"seed{self.seed}", digest(self.suite)[:10]]
        return "-".join(words)[-120:].lstrip("-_.")
