"""More workers than the machine holds are refused before anything is started."""

from __future__ import annotations

import pytest

import toy_suite
from polygraft.core.errors import UserError
from polygraft.distributed import machine
from polygraft.distributed.machine import cpus, require_cpus, too_many


@pytest.mark.parametrize(
    ("workers", "there", "mend"),
    [
        ({"count": 3}, 2, "workers: 3 are wanted, and there is room for 2: this machine has 2 CPUs. Take at most 2, "),
        ({"count": 2, "threads": 2}, 2, "2 of 2 threads are wanted, and there is room for 1: this machine has 2 CPUs."),
        ({"count": 1, "threads": 4}, 1, "room for 0: this machine has 1 CPU. Take fewer threads or GPUs a worker, or "),
        ({"count": 4, "min": 3, "max": 4}, 2, "workers: 3 are wanted, and there is room for 2"),
    ],
)
def test_more_workers_than_cpus_are_refused_with_the_mend(workers, there, mend):
    with pytest.raises(UserError) as caught:
        require_cpus(toy_suite.toy(workers=workers), there)
    assert mend in str(caught.value)
    assert "or give the --address of a larger cluster." in str(caught.value)


@pytest.mark.parametrize(
    ("workers", "enough"), [({"count": 2}, 2), ({"count": 2, "threads": 3}, 6), ({"count": 5, "min": 2, "max": 5}, 2)]
)
def test_the_least_number_of_workers_decides_to_the_cpu(workers, enough):
    def passes(there: int) -> bool:
        try:
            require_cpus(toy_suite.toy(workers=workers), there)
        except UserError:
            return False
        return True

    assert [passes(there) for there in (enough - 1, enough, enough + 1)] == [False, True, True]


def test_gpus_are_said():
    told = str(too_many(toy_suite.toy(workers={"count": 2, "gpus": 1}), 0, "the cluster has none"))
    assert "workers: 2 with 1 GPU are wanted, and there is room for 0: the cluster has none." in told


@pytest.mark.parametrize(("quota", "most"), [("max 100000", None), ("150000 100000", 2), ("10000 100000", 1)])
def test_a_containers_quota_counts(monkeypatch, tmp_path, quota, most):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)))
    assert cpus() == (most or 8)
