"""A checkpoint is whole or does not exist."""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

from polygraft.core.errors import RunFailed
from polygraft.storage.base import Snapshot
from polygraft.storage.directory import Directory, newest_first, verify


def snapshot(step: int, *, best: bool = False) -> Snapshot:
    weights = {"trunk.weight": torch.full((64, 64), float(step)), "trunk.bias": torch.arange(8.0) + step}
    return Snapshot(step, {"weights": weights, "optimizer": {}}, {"phase": 0, "best": 0.1 + step}, best)


def steps(folder: Path) -> list[str]:
    return [path.name for path in newest_first(folder)]


def damage(path: Path) -> None:
    """Change one byte in the middle of a file; its size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    shared = torch.randn(4, 6)
    weights = {
        "matrix": shared,
        "twin": shared,
        "transposed": shared.T,
        "column": shared[:, 1],
        "row": shared[2],
        "scalar": torch.tensor(3.25),
        "half": torch.randn(5).to(torch.bfloat16),
        "whole": torch.tensor([2**53 + 1], dtype=torch.int64),
        "flags": torch.tensor([True, False]),
        "none": torch.empty(0, 7),
        "grown": torch.randn(3, requires_grad=True),
    }
    facts = {"phase": 1, "lr": 0.1 + 0.2, "best": None, "deep": {"list": [1, 2.5, "drei"]}}
    store = Directory(tmp_path / "checkpoints")
    store.save(Snapshot(1200, {"weights": weights, "optimizer": {}, "balancer": {}, "stream": {}}, facts, best=True))

    found = store.latest()

    assert (found.step, found.facts, found.best) == (1200, facts, True)
    assert found.tensors["optimizer"] == found.tensors["balancer"] == found.tensors["stream"] == {}
    assert set(found.tensors["weights"]) == set(weights)
    for name, tensor in weights.items():
        assert found.tensors["weights"][name].dtype == tensor.dtype
        assert torch.equal(found.tensors["weights"][name], tensor.detach()), name
    names = {path.name for path in (tmp_path / "checkpoints" / "step-00001200").iterdir()}
    assert names == {
        *("weights.safetensors", "optimizer.safetensors", "balancer.safetensors", "stream.safetensors"),
        *("state.json", "manifest.json"),
    }


def test_what_was_loaded_does_not_depend_on_the_file_any_more(tmp_path):
    store = Directory(tmp_path)
    store.save(snapshot(1))
    found = store.latest()
    damage(tmp_path / "step-00000001" / "weights.safetensors")
    assert torch.equal(found.tensors["weights"]["trunk.weight"], torch.full((64, 64), 1.0))


def test_an_empty_store_has_nothing(tmp_path):
    assert Directory(tmp_path / "checkpoints").latest() is None
    assert Directory(tmp_path / "checkpoints").best() is None


def test_the_last_k_and_the_best_stay(tmp_path):
    store = Directory(tmp_path, keep=2)
    for step in range(1, 7):
        store.save(snapshot(step, best=step in (1, 2)))
    assert steps(tmp_path) == ["step-00000006", "step-00000005", "step-00000002"]
    assert store.latest().step == 6
    assert store.best().step == 2


def test_steps_sort_as_numbers(tmp_path):
    store = Directory(tmp_path)
    for step in (99_999_999, 100_000_000):
        store.save(snapshot(step))
    assert store.latest().step == 100_000_000


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda path: damage(path / "weights.safetensors"), "weights.safetensors is not what was written"),
        (lambda path: damage(path / "state.json"), "state.json is not what was written"),
        (lambda path: os.truncate(path / "weights.safetensors", 100), "weights.safetensors has 100 of"),
        (lambda path: (path / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda path: (path / "optimizer.safetensors").unlink(), "optimizer.safetensors is missing"),
        (lambda path: os.truncate(path / "manifest.json", 40), "its manifest or state cannot be read"),
        (lambda path: (path / "manifest.json").write_text("[]"), "its manifest or state cannot be read"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_with_a_word(tmp_path, caplog, harm, word):
    store = Directory(tmp_path)
    store.save(snapshot(1))
    store.save(snapshot(2))
    harm(tmp_path / "step-00000002")
    with caplog.at_level(logging.WARNING, logger="polygraft"):
        assert store.latest().step == 1
    assert f"{tmp_path / 'step-00000002'}: passed over, {word}" in caplog.text


def test_going_on_after_damage_never_loses_what_is_written_then(tmp_path):
    store = Directory(tmp_path, keep=1)
    store.save(snapshot(3))
    os.rename(tmp_path / "step-00000003", tmp_path / "step-00000009")
    damage(tmp_path / "step-00000009" / "weights.safetensors")
    store.save(snapshot(4))
    assert steps(tmp_path) == ["step-00000004"]
    assert store.latest().step == 4


def test_the_same_step_may_be_saved_again(tmp_path):
    store = Directory(tmp_path, keep=1)
    store.save(snapshot(5))
    store.save(snapshot(5, best=True))
    assert store.latest().best
    assert steps(tmp_path) == ["step-00000005"]


def test_leftovers_of_killed_writers_are_cleaned_and_what_they_had_moved_aside_is_put_back(tmp_path):
    store = Directory(tmp_path)
    store.save(snapshot(5))
    (tmp_path / ".step-00000006.4711.partial").mkdir()
    os.rename(tmp_path / "step-00000005", tmp_path / ".step-00000005.4711.retired")
    assert store.latest().step == 5
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]


def test_other_ranks_read_and_never_write(tmp_path):
    Directory(tmp_path).save(snapshot(1))
    other = Directory(tmp_path, rank=1)
    other.save(snapshot(2))
    (tmp_path / ".step-00000003.4711.partial").mkdir()
    assert other.latest().step == 1
    assert {path.name for path in tmp_path.iterdir()} == {"step-00000001", ".step-00000003.4711.partial"}


def test_a_stale_attempt_is_refused_even_when_it_is_overtaken_while_writing(tmp_path):
    calls = iter([None, RunFailed("attempt 2 has taken this run over")])

    def guard() -> None:
        refusal = next(calls)
        if refusal:
            raise refusal

    with pytest.raises(RunFailed, match="attempt 2 has taken this run over"):
        Directory(tmp_path, guard=guard).save(snapshot(1))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(RunFailed) as refused:
        Directory(tmp_path / "checkpoints").save(snapshot(1))
    path = tmp_path / "checkpoints" / "step-00000001"
    assert str(refused.value) == f"{path}: the checkpoint could not be written (File exists). There is no earlier one."


def _save_with_little_room(folder: Path) -> None:
    """In a process of its own: no file may grow beyond 2,000 bytes, which is what a full disk looks like to a writer."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try:
        Directory(folder).save(snapshot(2))
    except RunFailed as error:
        os._exit(0 if "step-00000001, is intact." in str(error) and "step-00000002: the" in str(error) else 1)
    os._exit(2)


def test_a_full_disk_leaves_the_last_checkpoint_intact(tmp_path):
    Directory(tmp_path).save(snapshot(1))
    child = multiprocessing.get_context("fork").Process(target=_save_with_little_room, args=(tmp_path,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert Directory(tmp_path).latest().step == 1


def _save_for_ever(folder: Path, first: int) -> None:
    store = Directory(folder, keep=1)
    for step in range(first, sys.maxsize):
        store.save(snapshot(step))
        store.save(snapshot(step, best=step % 3 == 0))  # the same step again: the narrow moment of a replacement


def test_killed_at_any_moment_there_is_a_whole_newest_checkpoint(tmp_path):
    """At least twenty-five SIGKILLs at different moments of a writer that does nothing but save."""
    Directory(tmp_path).save(snapshot(1))
    reached = 1
    for kill in itertools.count():
        child = multiprocessing.get_context("fork").Process(target=_save_for_ever, args=(tmp_path, reached + 1))
        child.start()
        time.sleep(0.02 + 0.0037 * (kill % 40))
        child.kill()
        child.join()
        found = Directory(tmp_path).latest()
        assert found is not None
        assert found.step >= reached
        assert torch.equal(found.tensors["weights"]["trunk.weight"], torch.full((64, 64), float(found.step)))
        assert json.dumps(found.facts["best"]) == json.dumps(0.1 + found.step)
        assert all(verify(path) is None for path in newest_first(tmp_path)[:1])
        reached = found.step
        if kill >= 25 and reached > 50:
            break
        assert kill < 400, "the writer hardly gets on"
