"""THE loop: what a run does, from its first step, or from where it was cut off, to its last."""

from __future__ import annotations

from polygraft.storage.base import Store
from polygraft.tracking.base import Tracker
from polygraft.training.evaluate import evaluate
from polygraft.training.experiment import Experiment
from polygraft.training.state import State


def train(experiment: Experiment, tracker: Tracker, store: Store) -> State:
    """Run until the experiment is finished or stopped; go on from the store's latest state when it holds one.

    Called by every worker. Raises RunFailed when a loss is no longer finite; what was saved is intact.
    """
    state = experiment.state(store.latest())
    tracker.rewind(state.step)  # what was logged after the checkpoint will be logged again, equal
    while not experiment.finished(state):  # the last step, patience: a pure function of the state
        experiment.plan.enter_phase(state)
        measured = experiment.step.update(state, experiment.stream)
        due = experiment.due(state)  # what depends on a clock or a signal is rank 0's, broadcast
        if due.log or measured.rare:
            tracker.log(experiment.measurements(measured, state.step), state.step)
        if due.evaluate:
            tracker.log(state.record(evaluate(state, experiment.evaluation), experiment.goal), state.step)
        if due.save or state.improved or experiment.finished(state):
            tracker.flush()  # a checkpoint never knows more than the history
            store.save(state.snapshot())
        if due.stop:
            break
    return state
