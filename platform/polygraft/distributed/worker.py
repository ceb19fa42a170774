"""One process of a worker group: it finds its fellows, then does what every rank does."""

from __future__ import annotations

import faulthandler
import fcntl
import logging
import os
import re
import socket
import struct
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from polygraft.core.errors import PolygraftError, RunFailed, UserError, fault
from polygraft.core.logs import log
from polygraft.distributed.policy import Crashed, Done, Outcome, Refused

PATIENCE = timedelta(seconds=60)

# What gloo and nccl say when the other end of a connection is gone.
_LOST = re.compile(
    r"Connection (closed|reset) by (peer|remote)|Broken pipe|Connection refused|pair\.cc|remote process (exited|has)"
    r"|Socket closed|ncclRemoteError|Timed out waiting",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Task:
    """What every rank runs: a function by its full name, so that only workers import it, and its arguments.

    function: `package.module:name`; called with `arguments` by keyword, it returns plain JSON values.
    """

    function: str
    arguments: Mapping[str, Any]

    def load(self) -> Any:
        """The function; imports its module."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(module), name)


@dataclass(frozen=True)
class Ready:
    """Where a worker came up. address: its node's, as Ray knows it. seconds: of its imports."""

    rank: int
    pid: int
    address: str
    seconds: float


@dataclass(frozen=True)
class Meeting:
    """Where the workers of one group find each other: a TCP store at rank 0's address. addresses: by rank."""

    addresses: tuple[str, ...]
    port: int


class Worker:
    """A rank of a group.

    threads: of this process, its OpenMP and torch. gpu: whether it has one. logs: the folder for what this rank says.
    """

    def __init__(self, rank: int, *, threads: int, gpu: bool, logs: Path) -> None:
        self._rank, self._threads, self._gpu, self._logs = rank, threads, gpu, logs
        self._store: Any = None

    def ready(self, function: str, folder: Path) -> Ready | Outcome:
        """Import what `function` needs, while Ray is still placing the others; where this process is."""
        began = time.perf_counter()
        os.environ["OMP_NUM_THREADS"] = str(self._threads)  # before the libraries that read it are loaded
        try:
            import ray
            import torch

            if not folder.is_dir():
                raise _unseen(folder)
            _log_to(words_of(self._logs, self._rank))

            torch.set_num_threads(self._threads)
            Task(function, {}).load()
        except Exception as error:  # whatever it is, the driver has to hear of it
            return outcome_of(error)
        seconds = time.perf_counter() - began
        return Ready(self._rank, os.getpid(), str(ray.util.get_node_ip_address()), seconds)  # type: ignore[no-untyped-call]

    def host_meeting(self, address: str, world: int) -> int:
        """Open the store that all ranks meet at, on a free port of `address` alone; the port."""
        import torch.distributed as dist

        listener = socket.create_server((address, 0), backlog=max(128, 2 * world))
        port = int(listener.getsockname()[1])
        how: dict[str, Any] = {"is_master": True, "wait_for_workers": False, "master_listen_fd": listener.detach()}
        self._store = dist.TCPStore(address, port, world, timeout=PATIENCE, **how)  # type: ignore[attr-defined]
        return port

    def work(self, meeting: Meeting, task: Task) -> Outcome:
        """Join the fellows and run the task; what went wrong comes back as a value, not as Ray's exception.

        The connections stay open: closed before the driver has heard, they would look to the fellows like a death.
        """
        try:
            self._join(meeting)
            return Done(task.load()(**task.arguments))
        except Exception as error:  # whatever it is, the driver has to hear of it
            return outcome_of(error)

    def _join(self, meeting: Meeting) -> None:
        import torch.distributed as dist

        interface = interface_of(meeting.addresses[self._rank])
        for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            if interface and variable not in os.environ:
                os.environ[variable] = interface  # else gloo takes the host name's address, which others may not reach
        world = len(meeting.addresses)
        if self._store is None:
            self._store = dist.TCPStore(meeting.addresses[0], meeting.port, world, is_master=False, timeout=PATIENCE)  # type: ignore[attr-defined]
        backend = "cpu:gloo,cuda:nccl" if self._gpu else "gloo"
        dist.init_process_group(backend, store=self._store, rank=self._rank, world_size=world)


def outcome_of(error: Exception) -> Outcome:
    """What the driver is told of an error: one of ours as it is, any other in words that need no class to be read."""
    if isinstance(error, UserError):
        return Refused(UserError(error.faults))
    if isinstance(error, PolygraftError):
        return Refused(RunFailed(str(error)))
    message = "".join(traceback.format_exception_only(error)).strip()
    lost = isinstance(error, RuntimeError | OSError) and _LOST.search(message) is not None
    return Crashed(message, "".join(traceback.format_exception(error)), lost)


def interface_of(address: str) -> str | None:
    """The network interface that carries an IPv4 address; None when none does, or the system does not say."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                # SIOCGIFADDR: the interface's address stands in bytes 20 to 24 of what comes back.
                found = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))[20:24]
            except OSError:
                continue
            if socket.inet_ntoa(found) == address:
                return name
    return None


def words_of(logs: Path, rank: int) -> Path:
    """The file of what a rank says."""
    return logs / f"rank-{rank}.log"


def _unseen(folder: Path) -> UserError:
    return fault(
        f"the worker on {socket.gethostname()} does not see this folder. With workers on other machines `storage` has to lie "
        "where all of them see it.",
        str(folder),
    )


def _log_to(words: Path) -> None:
    words.parent.mkdir(parents=True, exist_ok=True)
    logger = log()
    stream = words.open("a", encoding="utf-8")
    handler = logging.StreamHandler(stream)
    faulthandler.enable(stream)  # what a library's crash leaves would go down with Ray's own logs
    logger.handlers[:] = [handler]
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").handlers[:] = logger.handlers
