"""A session with Ray: a cluster that is there, or a small Ray of our own, started and ended with the run."""

from __future__ import annotations

import logging
import math
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polygraft.core.errors import RunFailed, fault
from polygraft.distributed.address import Address, probe, unanswered

PATIENCE_S = 12.0
# <temp>/session_2026-11-23_22-43-28_514930_4194304/sockets/plasma_store.sock_1 has to stay below the 107 bytes of a socket.
_LONGEST_TEMP = 107 - len("/session_2026-11-23_22-43-28_514930_4194304/sockets/plasma_store.sock_1")
# Ray gives workers the lowest priority, so that a machine stays usable; ours are what the machine is wanted for.
_OWN = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
_STORE_BYTES = 100 * 2**20  # nothing of ours goes through Ray's object store; by default it takes a third of the memory


class RaySession:
    """A connection to Ray; a context manager. One that the process has already is used, and left as it is.

    cpus, gpus: what a Ray of our own is told it has.
    """

    def __init__(self, address: Address, *, cpus: int, gpus: float) -> None:
        self._address, self._cpus, self._gpus = address, cpus, gpus
        self._mine = False
        self._folder: Path | None = None
        self._before: dict[str, str | None] = {}
        self._keeper: threading.Thread | None = None
        self._up, self._over = threading.Event(), threading.Event()
        self._error: BaseException | None = None

    def open(self) -> None:
        """Connect. Raises UserError within 15 s when nobody answers at the address."""
        if _connected():
            return
        if self._address.local:
            self._start()
        else:
            self._join()
        self._mine = True
        _quiet(True)

    def close(self) -> None:
        """Disconnect; a Ray of our own ends, and nothing of it stays."""
        if self._mine:
            import ray

            ray.shutdown()
            _quiet(False)
            self._mine = False
        self._over.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        self._restore()

    def __enter__(self) -> RaySession:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._folder = temporary_folder()
        self._set(_OWN | {name: os.environ[name] for name in _OWN if name in os.environ} | own_token(os.environ))
        # Linux ends Ray's processes with the thread that has started them, so this one stays to the end.
        self._keeper = threading.Thread(target=self._keep, name="ray-keeper", daemon=True)
        self._keeper.start()
        self._up.wait()
        if self._error is not None:
            self.close()
            raise RunFailed(f"Ray did not start on this machine: {self._error}") from self._error

    def _keep(self) -> None:
        import ray

        try:
            ray.init(
                address="local",
                num_cpus=self._cpus,
                num_gpus=math.ceil(self._gpus),
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(self._folder),
            )
        except BaseException as error:  # raised again in the thread that waits
            self._error = error
            ray.shutdown()
        self._up.set()
        self._over.wait()

    def _join(self) -> None:
        probe(self._address)
        self._set({"RAY_USAGE_STATS_ENABLED": "0"})
        import ray

        failures: list[BaseException] = []

        def join() -> None:
            try:
                ray.init(address=self._address.value, log_to_driver=False, logging_level=logging.ERROR)
            except BaseException as error:  # handed over to the waiting thread
                failures.append(error)

        thread = threading.Thread(target=join, name="ray-join", daemon=True)
        thread.start()
        thread.join(PATIENCE_S)
        if thread.is_alive():
            raise unanswered(self._address, f"it did not take us in within {PATIENCE_S:.0f} s")
        if failures:
            raise unanswered(self._address, next(iter(str(failures[0]).splitlines()), type(failures[0]).__name__))

    def _set(self, variables: Mapping[str, str]) -> None:
        self._before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        _read_environment()

    def _restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self._before:
            self._before = {}
            _read_environment()


def own_token(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that close a Ray of our own to others on this machine without a file in the home folder.

    ray.init would write `~/.ray/auth_token` there and keep it. A mode that the person has chosen stays.
    """
    if environment.get("RAY_AUTH_MODE"):
        return {}
    token = environment.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


def temporary_folder() -> Path:
    """A new folder for a Ray's sockets and logs, under the first temporary place that leaves room for a socket's name."""
    places = [os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp", "/var/tmp"]
    for place in dict.fromkeys(each for each in places if each):
        if len(os.fsencode(os.path.join(place, "pg-ray-12345678"))) <= _LONGEST_TEMP and os.access(place, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="pg-ray-", dir=place))
    raise fault(
        f"no temporary folder is writable and short enough for Ray's sockets ({', '.join(each for each in places if each)}). "
        "Set RAY_TMPDIR to one of at most 20 letters."
    )


def _connected() -> bool:
    ray: Any = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _quiet(quiet: bool) -> None:
    """Keep Ray from printing other processes' words, a dead worker's obituary for one, to stdout, which holds the result alone."""
    from ray._private import worker

    worker._worker_logs_enabled = not quiet


def _read_environment() -> None:
    """Let a Ray that is imported already see the variables: it reads them once."""
    if "ray" not in sys.modules:
        return
    try:
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]
    except ImportError:  # a Ray before tokens
        return
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
