"""The first signal asks, the second insists; outside the work each of them ends the run where it strikes."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from polygraft.distributed.endings import Interrupted
from polygraft.distributed.interrupts import Interrupts


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_leaves_a_file_and_the_second_raises(tmp_path, signum, code):
    stop = tmp_path / "stop"
    with Interrupts(stop) as interrupts:
        with interrupts.gently():
            os.kill(os.getpid(), signum)
            assert stop.exists()
            assert interrupts.signum == signum
            with pytest.raises(Interrupted) as caught:
                os.kill(os.getpid(), signum)
        assert caught.value.exit_code == code
    assert not stop.exists()


def test_before_the_work_the_first_signal_raises(tmp_path):
    with Interrupts(tmp_path / "stop"), pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)
    assert not (tmp_path / "stop").exists()


def test_an_interruption_is_a_keyboard_interrupt():
    assert issubclass(Interrupted, KeyboardInterrupt)


def test_a_request_that_was_left_behind_is_forgotten(tmp_path):
    (tmp_path / "stop").touch()
    with Interrupts(tmp_path / "stop") as interrupts:
        assert not (tmp_path / "stop").exists()
        assert interrupts.signum is None


def test_the_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts(tmp_path / "stop"):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_thread_than_the_main_one_takes_no_signals(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def elsewhere() -> None:
        with Interrupts(tmp_path / "stop"):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]
