"""The journal of a run: `metrics.jsonl`, the science, and beside it `system.jsonl`, clocks and machines; it is the truth.

A line is one call: `{"step": 50, "values": {"train/late/loss": 0.41}}`, floats in full, so that they come back bit for bit;
what is not finite stands as "NaN", "Infinity" or "-Infinity", so that every line is JSON. A line of `system.jsonl` also says
the wall time and the attempt.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from polygraft.core.atomic import atomic_file
from polygraft.core.errors import RunFailed
from polygraft.core.logs import log
from polygraft.tracking.base import Tracker


@dataclass(frozen=True)
class Entry:
    """What one call logged at one step. time: seconds since 1970, and attempt: system entries only."""

    step: int
    values: Mapping[str, float]
    time: float | None = None
    attempt: int | None = None


class Journal(Tracker):
    """Appends to `path` and to `system.jsonl` beside it.

    guard: called before each write; raises when another attempt has taken the run over. attempt: noted with the clocks.
    A line is written by one system call, so a killed process loses none that `log` returned from; at most one is torn
    by a full disk or a power cut, and it is cut off before the next is written.
    """

    def __init__(self, path: Path, *, guard: Callable[[], None] | None = None, attempt: int = 1) -> None:
        self._path, self._system = path, path.with_name("system.jsonl")
        self._guard, self._attempt = guard or (lambda: None), attempt
        self._open: dict[Path, int] = {}
        self._kept: dict[tuple[int, str], float] = {}

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Note `values` at `step`. A point that a rewind has left there is not noted twice. Raises RunFailed on a full disk."""
        system = {key: float(value) for key, value in values.items() if key.startswith("system/")}
        science = {key: float(value) for key, value in values.items() if key not in system}
        if self._kept:
            science = {key: value for key, value in science.items() if not self._is_kept(step, key, value)}
        self._guard()
        if science:
            self._append(self._path, line(Entry(step, science)))
        if system:
            self._append(self._system, line(Entry(step, system, time.time(), self._attempt)))

    def artifact(self, path: Path) -> None:
        """Keep a file or a folder with the run, under `artifacts/`; one that lies in the run's folder stays where it is."""
        if path.resolve().is_relative_to(self._path.parent.resolve()):
            return
        self._guard()
        kept = self._path.parent / "artifacts" / path.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, kept, dirs_exist_ok=True)
        else:
            shutil.copy2(path, kept)

    def rewind(self, step: int) -> None:
        """Cut every point after `step`, in one stroke; clocks stay, they are told apart by their attempt."""
        self._guard()
        self._close(self._path)
        entries = read(self._path)
        past = [entry for entry in entries if entry.step <= step]
        self._kept = {(step, key): value for entry in past if entry.step == step for key, value in entry.values.items()}
        if len(past) < len(entries):
            # A new file in place of the old one: a follower sees that, however fast the journal grows again.
            with atomic_file(self._path) as temporary:
                temporary.write_text("".join(map(line, past)), encoding="utf-8")

    def flush(self) -> None:
        """Return when all that was logged is on the disk, not in the system's memory alone."""
        for handle in self._open.values():
            os.fsync(handle)

    def close(self) -> None:
        """Flush and let go of the files; another `log` opens them again."""
        self.flush()
        for path in list(self._open):
            self._close(path)

    def _is_kept(self, step: int, key: str, value: float) -> bool:
        kept = self._kept.get((step, key))
        if kept is None:
            return False
        if kept != value and not (math.isnan(kept) and math.isnan(value)):
            log().warning("%s: step %d: %s was %r and is now %r; the first stays", self._path, step, key, kept, value)
        return True

    def _append(self, path: Path, text: str) -> None:
        try:
            if path not in self._open:
                self._open[path] = open_whole(path)
            left = text.encode()
            while left:
                left = left[os.write(self._open[path], left) :]
        except OSError as error:
            raise RunFailed(f"{path}: the journal could not be written ({error.strerror}).") from error

    def _close(self, path: Path) -> None:
        handle = self._open.pop(path, None)
        if handle is not None:
            os.close(handle)


def line(entry: Entry) -> str:
    """The entry as its line in the journal."""
    values = {key: value if math.isfinite(value) else _word(value) for key, value in entry.values.items()}
    clock = {} if entry.time is None else {"time": entry.time, "attempt": entry.attempt}
    return json.dumps({"step": entry.step, **clock, "values": values}, ensure_ascii=False, allow_nan=False) + "\n"


def parse(text: str) -> Entry:
    """The entry that a line holds. Raises ValueError, KeyError or TypeError when it holds none."""
    facts = json.loads(text)
    values = {str(key): float(value) for key, value in facts["values"].items()}
    return Entry(int(facts["step"]), values, facts.get("time"), facts.get("attempt"))


def read(path: Path) -> list[Entry]:
    """All entries of a journal, in order; empty when there is no file. A torn last line is left out."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last line break was never finished
    except FileNotFoundError:
        return []
    entries = []
    for number, text in enumerate(lines, start=1):
        try:
            entries.append(parse(text.decode()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunFailed(f"{path}:{number}: this line is not of a journal; it was changed or damaged.") from error
    return entries


def history(entries: Iterable[Entry]) -> dict[str, list[tuple[int, float]]]:
    """`{key: [(step, value), ...]}` in the order of the entries."""
    points: dict[str, list[tuple[int, float]]] = {}
    for entry in entries:
        for key, value in entry.values.items():
            points.setdefault(key, []).append((entry.step, value))
    return points


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def open_whole(path: Path) -> int:
    """Open for appending, the torn end of a killed writer's last line cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    size = os.fstat(handle).st_size
    start = size
    while start and os.pread(handle, 1, start - 1) != b"\n":
        start -= 1
    if start < size:
        os.ftruncate(handle, start)
    return handle
