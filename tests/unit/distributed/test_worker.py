"""What a worker tells the driver of an error, and how it finds its network interface."""

from __future__ import annotations

import pickle

import pytest

from polygraft.core.errors import Fault, PolygraftError, RunFailed, UserError, fault
from polygraft.distributed.policy import Crashed, Refused
from polygraft.distributed.worker import Task, interface_of, outcome_of


class Kin(RunFailed):
    """An error that a plugin made; the driver may not know its class."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(f"{message} at step {step}")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (fault("no column 'x'", "suite.yaml:3"), UserError, "suite.yaml:3: no column 'x'"),
        (RunFailed("NaN"), RunFailed, "NaN"),
        (Kin("NaN", 7), RunFailed, "NaN at step 7"),
        (PolygraftError("odd"), RunFailed, "odd"),
    ],
)
def test_our_errors_travel_as_they_are(error, kind, words):
    carried = pickle.loads(pickle.dumps(outcome_of(error)))
    assert isinstance(carried, Refused)
    assert type(carried.error) is kind
    assert str(carried.error) == words


def test_all_faults_travel():
    error = UserError([Fault("a:1", "x"), Fault("a:2", "y")])
    assert outcome_of(error).error.faults == error.faults


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (KeyError("x"), False),
        (ValueError("Connection closed by peer"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:3307"), True),
        (RuntimeError("Application timeout caused pair closure: Connection reset by peer"), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
    ],
)
def test_other_errors_travel_as_words_with_their_traceback(error, lost):
    try:
        raise error
    except Exception as raised:
        told = outcome_of(raised)
    assert isinstance(told, Crashed)
    assert told.lost_peer is lost
    assert "test_worker.py" in told.trace
    assert told.message.startswith(type(error).__name__)


def test_a_task_is_found_by_its_full_name():
    assert Task("polygraft.distributed.worker:Task", {}).load() is Task


def test_the_loopback_has_an_interface_and_a_strange_address_has_none():
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("203.0.113.9") is None
