"""What is due when: a pure function of the step, the clock and who asks to stop."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from polygraft.training.clock import Clock
from polygraft.training.experiment import Cadence, Experiment


def experiment(stopping=lambda: False, **cadence) -> Experiment:
    every = Cadence(**{"steps": 100, "log": 10, "evaluate": 20, "save": 30} | cadence)
    parts = dict.fromkeys(
        ("learner", "optimizer", "gradients", "stream", "players", "step", "plan", "evaluation", "goal")
    )
    device = torch.device("cpu")
    return Experiment(**parts, cadence=every, device=device, clock=Clock(), facts={}, stopping=stopping)


def at(step, waited=0):
    return SimpleNamespace(step=step, waited=waited)


@pytest.mark.parametrize(
    ("step", "log", "evaluate", "save"),
    [(1, 0, 0, 0), (10, 1, 0, 0), (20, 1, 1, 0), (30, 1, 0, 1), (60, 1, 1, 1), (99, 0, 0, 0), (100, 1, 1, 1)],
)
def test_what_is_due_after_a_step(step, log, evaluate, save):
    due = experiment().due(at(step))
    assert (due.log, due.evaluate, due.save, due.stop) == (bool(log), bool(evaluate), bool(save), False)


def test_never_is_never_but_at_the_end():
    mine = experiment(log=0, evaluate=0, save=0)
    assert not any(vars(mine.due(at(60))).values())
    assert mine.due(at(100)).save
    assert mine.due(at(100)).evaluate


def test_a_request_to_stop_saves_and_stops():
    due = experiment(stopping=lambda: True).due(at(7))
    assert due.stop
    assert due.save
    assert not due.evaluate


def test_the_clock_asks_for_a_checkpoint():
    assert experiment(save=0, save_seconds=1e-9).due(at(7)).save
    assert not experiment(save=0, save_seconds=1e9).due(at(7)).save


@pytest.mark.parametrize(
    ("step", "waited", "patience", "finished"),
    [(99, 0, None, False), (100, 0, None, True), (50, 3, 3, True), (50, 2, 3, False), (50, 9, None, False)],
)
def test_a_run_is_finished_by_its_last_step_or_by_patience(step, waited, patience, finished):
    assert experiment(patience=patience).finished(at(step, waited)) is finished


def test_the_first_refresh_of_reused_weights_after_a_line_has_a_line_too():
    """Steps are counted after the update: a refresh at step 12 is told at 13."""
    mine = experiment(log=10, reuse=4)
    assert [step for step in range(1, 41) if mine.due(at(step)).log] == [1, 10, 13, 20, 21, 30, 33, 40]
    rare = experiment(log=10, reuse=25)
    assert [step for step in range(1, 61) if rare.due(at(step)).log] == [1, 10, 20, 26, 30, 40, 50, 51, 60]
    assert not experiment(log=0, reuse=4).due(at(5)).log
