"""Launch: which run is meant, where it runs, and that all it needs is there; then the driver takes over."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from polygraft.assembly.run import STOP, Run
from polygraft.core.errors import fault
from polygraft.core.logs import log
from polygraft.distributed.address import Address, choose, probe
from polygraft.distributed.identity import claim, source_of, storage_of
from polygraft.distributed.interrupts import Interrupts
from polygraft.distributed.machine import require_cpus
from polygraft.distributed.work import LocalWork, RayWork, Work
from polygraft.storage.lock import RunLock, read_attempt
from polygraft.storage.runs import RunRecord, read_run
from polygraft.suite.apart import keepers
from polygraft.suite.load import load
from polygraft.suite.schema import Suite
from polygraft.tracking.mlflow_tracker import tracking_uri
from polygraft.tracking.server import require_reachable


def train(
    suite: Suite | str | os.PathLike[str],
    *,
    run: str | None = None,
    resume: bool = False,
    from_run: str | None = None,
    workers: int | None = None,
    address: str | None = None,
    register: bool = True,
    progress: bool = True,
    tracking: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Run:
    """Run a suite to its end, register its model, and return what it came to.

    run: starts the run of this id, goes on with it, or returns its result when it is finished. resume: goes on with the newest
    unfinished run of the same suite. from_run: start from the weights of another run. workers: in place of the suite's count.
    address: of a Ray cluster, `auto`, or `local` for a Ray of our own; without one, several workers take RAY_ADDRESS, else
    a Ray of our own, and one worker is this process. register: as a new version of the model that bears the suite's name.
    progress: draw on stderr how far it is. tracking: MLflow's URI. tags: more of the run's tags there.
    Raises UserError for what can be mended, RunFailed when the run cannot go on, Interrupted (a KeyboardInterrupt), with
    everything saved, after Ctrl-C or SIGTERM.
    """
    suite = sized(suite, workers) if isinstance(suite, Suite) else loaded(suite, workers=workers)
    log().info("%s", split_of_rows(suite))
    chosen = choose(address)
    on_ray = address is not None or suite.workers.most > 1
    if on_ray and chosen.local:
        require_cpus(suite)
    elif on_ray:
        probe(chosen)
    uri, _ = tracking_uri(tracking, os.environ, suite.tracking.uri, storage_of(suite))
    require_reachable(uri)
    record = claim(suite, run=run, resume=resume)
    warm_start = source_of(suite, from_run) if from_run else None
    with claimed(record.folder) as lock:
        result = result_of(record.folder)
        if result is not None:
            return result
        with (
            Interrupts(record.folder / STOP) as interrupts,
            _work(suite, record, chosen if on_ray else None, interrupts) as work,
        ):
            from polygraft.distributed.driver import Driver  # with torch and all the rest, while Ray starts

            driver = Driver(suite, record, lock, uri, warm_start, register=register, progress=progress, tags=tags or {})
            return driver.run(work, interrupts)


def loaded(path: str | os.PathLike[str], overrides: Iterable[str] = (), workers: int | None = None) -> Suite:
    """The suite in a file with another number of workers; shards that it leaves to the default follow them."""
    count = [] if workers is None else [f"workers.count={workers}", "workers.min=null", "workers.max=null"]
    return load(path, [*overrides, *count])


def sized(suite: Suite, workers: int | None) -> Suite:
    """The suite with another number of workers. Raises UserError when its shards cannot be shared among so many."""
    if workers is not None:
        if workers < 1:
            raise fault(f"a run takes at least 1 worker, not {workers}.", "--workers")
        changed = suite.workers.model_copy(update={"count": workers, "min": None, "max": None})
        suite = suite.model_copy(update={"workers": changed})
    most = suite.workers.most - keepers(suite)
    if most > suite.train.shards:
        raise fault(
            f"train.shards: a batch of {suite.train.shards} shards cannot be shared among {most} workers. "
            f"Set train.shards: {most} (another run: its sums are taken in another order), or take at most "
            f"{suite.train.shards} workers.",
            suite.where("train.shards") or "--workers",
        )
    return suite


def split_of_rows(suite: Suite) -> str:
    """How a global batch is shared: `1,024 rows a step = 2 workers x 512`."""
    rows, shards, count = suite.train.batch_size, suite.train.shards, suite.workers.most - keepers(suite)
    edges = [rank * shards // count * rows // shards for rank in range(count + 1)]
    parts = sorted({after - before for before, after in itertools.pairwise(edges)})
    each = f"{parts[0]:,}" if len(parts) == 1 else f"{parts[0]:,} to {parts[-1]:,}"
    of = " of a table" * (len(suite.data) > 1)
    return f"{rows:,} rows{of} a step = {count} worker{'s' * (count > 1)} x {each}"


@contextmanager
def claimed(folder: Path) -> Iterator[RunLock]:
    """Hold the run; a folder in which nothing was begun does not stay."""
    lock = RunLock(folder)
    lock.acquire()
    mine = lock.attempt
    try:
        yield lock
    finally:
        lock.release()
        last = read_attempt(folder)
        if read_run(folder) is None and last is not None and last.ended and last.number == mine:
            shutil.rmtree(folder, ignore_errors=True)


def result_of(folder: Path) -> Run | None:
    """What a finished run came to; None when there is something left to do."""
    record = read_run(folder)
    if record is None or not record.finished:
        return None
    log().info("%s is finished; this is its result.", record.run_id)
    return Run.read(folder)


def _work(suite: Suite, record: RunRecord, address: Address | None, interrupts: Interrupts) -> Work:
    if address is None:
        return LocalWork(record.folder, interrupts)
    return RayWork(suite, record.folder, address, interrupts)
