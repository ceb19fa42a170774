"""The pipeline that joint training replaces, in two stages: features fitted without labels and frozen, then each task by itself on them.

What makes it as strong as it can be on the same budget: a task's part is what a single-task run has, the suite's trunk with fresh
weights and its head, on frozen features in place of the suite's stem; with the same rows in the same order, steps, optimiser,
schedule and selection. So it differs from a single-task run in nothing but where its features come from, and a warm-up made for
the trunk is one for it, too. Linear heads on features brought to variance 1 would be the cheaper reading, and were hardly trained
where joint training was: AUC .52 of census's `income` after 60 steps, where this has .89.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file

from polygraft.assembly.experiments import experiment_of
from polygraft.assembly.learners import learner, stem_of, trunk_of
from polygraft.assembly.run import Run
from polygraft.core.atomic import atomic_file
from polygraft.core.errors import RunFailed, fault
from polygraft.studies.autoencoder import Autoencoder
from polygraft.studies.encoder import Encoder, Frozen
from polygraft.studies.in_process import Outcome, Place, Tables, run_here
from polygraft.studies.pca import PCA
from polygraft.suite.schema import Suite
from polygraft.training.evaluate import evaluate
from polygraft.training.loop import train as learn

ENCODERS: Mapping[str, type[Encoder]] = {"pca": PCA, "autoencoder": Autoencoder}
"""By the words of `studies/arms.py`."""


def fit(suite: Suite, run: str, features: str, tags: Mapping[str, str], tracking: str | None) -> Run:
    """The first stage: an encoder of each of the suite's tables, in the run's folder. A killed one begins again from its start."""

    def work(place: Place) -> Outcome:
        began, steps = time.perf_counter(), 0
        place.journal.rewind(0)
        for name, table in place.tables.items():
            encoder = ENCODERS[features].fitted(suite, table, place.journal)
            steps = max(steps, encoder.steps)
            with atomic_file(_kept(place.folder, name)) as temporary:
                save_file(encoder.state_dict(), temporary)
        place.journal.log({"system/seconds/wall": time.perf_counter() - began}, steps)
        return Outcome(steps)

    return run_here(suite, run, work, tags=tags, tracking=tracking)


def train(suite: Suite, run: str, features: str, after: str, tags: Mapping[str, str], tracking: str | None) -> Run:
    """The second stage: the suite's tasks on the features that the run `after` fitted. Raises RunFailed where it did not."""

    def work(place: Place) -> Outcome:
        stems = {name: Frozen(_restored(place, name, features, after)) for name in place.tables}
        targets = {task: target for table in place.tables.values() for task, target in table.target_info.items()}
        learns = learner(suite, {name: table.shape for name, table in place.tables.items()}, targets, grown=stems)
        running = experiment_of(suite, place.tables, learns, stopping=place.stopping)
        with place.interrupts.gently():
            state = learn(running, place.journal, place.store)
        if not running.finished(state):
            return Outcome(state.step, finished=False)
        best = place.store.best()
        if best is not None:
            state.learner.load_state_dict(best.tensors["weights"])
        validation, test = (evaluate(state, running.evaluation, split) for split in ("validation", "test"))
        place.journal.log(test, state.step)
        return Outcome(
            state.step,
            metrics=_plain(test),
            validation=_plain(validation),
            samples_per_second=running.clock.rate,
        )

    return run_here(suite, run, work, tags=tags, tracking=tracking)


def require_vectors(suite: Suite, tables: Tables) -> None:
    """Raises UserError where a table has more than numbers and categories, or features are no vectors: no encoder here knows them."""
    for name, table in tables.items():
        if table.shape.others:
            what = f"data.{name}: frozen features are made of numbers and categories, and there is {table.shape.others[0].name}."
            raise fault(f"{what} Leave --against out.", suite.where(f"data.{name}"))
    offers = [stem_of(suite, name, table.shape).offer for name, table in tables.items()]
    if {each.kind for each in (*offers, *(trunk_of(suite, offer).offer for offer in offers))} != {"vector"}:
        raise fault(
            "frozen features are vectors, and this suite's are not. Leave --against out.", suite.where("backbone")
        )


def _restored(place: Place, table: str, features: str, after: str) -> Encoder:
    path = _kept(place.folder.with_name(after), table)
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise RunFailed(f"the features of '{table}' are not there: {after} did not fit them.") from None
    return ENCODERS[features].restored(place.suite, place.tables[table], state)


def _kept(folder: Path, table: str) -> Path:
    return folder / "encoders" / f"{table}.safetensors"


def _plain(scores: Mapping[str, float]) -> dict[str, float]:
    return {key.split("/", 1)[1]: value for key, value in scores.items()}
