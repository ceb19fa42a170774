"""An environment as a prepared table: it has no rows, but what a stem, a target and a model ask of a table is known of it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from polygraft.core.atomic import write_json
from polygraft.data.cache import Digest, once, read_json
from polygraft.data.environments import EnvironmentSpec, random_return
from polygraft.data.feature import Feature
from polygraft.data.plans import NumberPlan
from polygraft.data.preparation import Prepared
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.recipes import recipe
from polygraft.data.target import Target

RANDOM_EPISODES = 100
"""Episodes of random actions: what `improvement` counts from."""


def prepare_environment(spec: EnvironmentSpec, task: str, cache: Path) -> Prepared:
    """What `task` must know of it; the return of random actions is played once and kept in `cache`. Raises UserError."""
    fingerprint = f"{spec.table}-{_digest(spec).hex()[:24]}"
    folder = once(
        cache / "environments" / fingerprint, lambda temporary: write_json(temporary / "known.json", _known(spec))
    )
    known = read_json(folder / "known.json")
    levels = tuple(str(action) for action in range(known["actions"]))
    solved = known["solved"] - known["random"] if known["solved"] is not None else abs(known["random"])
    features = tuple(_feature(f"observation_{j}") for j in range(known["numbers"]))
    preprocessor = Preprocessor(features)
    return Prepared(
        name=spec.table,
        inputs={"numbers": np.empty((0, known["numbers"]), np.float32), "categories": np.empty((0, 0), np.int32)},
        targets={},
        present={},
        weights=np.empty(0, np.float32),
        splits={part: np.empty(0, np.int64) for part in ("train", "validation", "test")},
        shape=preprocessor.shape,
        target_info={task: Target(task, (), "actions", levels, mean=known["random"], std=solved or 1.0)},
        preprocessor=preprocessor,
        fingerprint=fingerprint,
        environment=spec,
    )


def _digest(spec: EnvironmentSpec) -> Digest:
    """Of all that decides what is known of it."""
    spec.make().close()  # so that a package that is missing is told as such
    version = metadata.version("gymnasium")
    digest = Digest("environment", spec.table, spec.source, dict(spec.arguments), spec.seed, version)
    if made := recipe(spec.source, spec.folder):
        digest.words(made.digest())
    return digest


def _known(spec: EnvironmentSpec) -> dict[str, Any]:
    env = spec.make()
    threshold = env.spec.reward_threshold if env.spec is not None else None
    return {
        "numbers": int(env.observation_space.shape[0]),
        "actions": int(env.action_space.n),
        "solved": threshold,
        "random": random_return(spec, RANDOM_EPISODES),
    }


def _feature(column: str) -> Feature:
    """A number that a network sees as the environment shows it."""
    return Feature(column, "number", "float", ("standard", {}), {"": NumberPlan(column, fill=0.0)})
