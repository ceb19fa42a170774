"""A store in a folder: `step-00001200/` holds one checkpoint, and without a manifest that verifies it does not exist."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from polygraft.core.atomic import atomic_folder
from polygraft.core.errors import RunFailed
from polygraft.core.logs import log
from polygraft.storage.base import Snapshot, Store

FORMAT = 1
_STEP = re.compile(r"step-(\d{8,})")
_LEFTOVER = re.compile(r"\.(step-\d{8,})\.\d+\.(partial|retired)")


class Directory(Store):
    """Checkpoints in `folder`; the newest `keep` and the newest best one stay.

    rank: only rank 0 writes, cleans and warns; the others read the same folder and trust the caller's barriers.
    guard: called before anything is written and again before it gets its final name; raises when another attempt has
        taken the run over.
    """

    def __init__(self, folder: Path, *, keep: int = 2, rank: int = 0, guard: Callable[[], None] | None = None) -> None:
        assert keep >= 1, "a store that keeps nothing loses the run"
        self._folder, self._keep, self._rank = folder, keep, rank
        self._guard = guard or (lambda: None)

    def latest(self) -> Snapshot | None:
        """The newest checkpoint that verifies; a damaged one is passed over with a word. None when there is none."""
        self._tidy()
        return self._first(newest_first(self._folder))

    def best(self) -> Snapshot | None:
        """The newest checkpoint that was marked best and verifies; None when there is none."""
        self._tidy()
        return self._first([path for path in newest_first(self._folder) if _marked_best(path)])

    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint, manifest last; then forget the old ones. Raises RunFailed, the last one intact, when it cannot."""
        if self._rank:
            return
        self._guard()
        self._tidy()
        path = self._folder / f"step-{snapshot.step:08d}"
        try:
            with atomic_folder(path) as temporary:
                _write(temporary, snapshot)
                self._guard()  # the writing took time: another attempt may have begun
            self._forget(path)
        except (OSError, SafetensorError) as error:
            raise RunFailed(
                f"{path}: the checkpoint could not be written ({_reason(error)}). {self._kept()}"
            ) from error

    def _first(self, paths: list[Path]) -> Snapshot | None:
        for path in paths:
            damage = verify(path)
            if damage is None:
                return _read(path)
            if not self._rank:
                log().warning("%s: passed over, %s", path, damage)
        return None

    def _forget(self, saved: Path) -> None:
        """Remove all but the newest `keep` whole checkpoints and the newest best one.

        What is later than the one just saved goes, too: the run passed it over, damaged, and will write it anew.
        """
        there = newest_first(self._folder)
        whole = [path for path in there[there.index(saved) :] if _sizes_differ(path) is None]
        stay = set(whole[: self._keep]) | set([path for path in whole if _marked_best(path)][:1])
        for path in there:
            if path not in stay:
                # Its manifest first: a removal that is cut short must not leave half a checkpoint that looks whole.
                (path / "manifest.json").unlink(missing_ok=True)
                shutil.rmtree(path, ignore_errors=True)

    def _tidy(self) -> None:
        """Put back or remove what a killed writer left behind. Only the holder of the run writes, so all of it is dead."""
        if self._rank or not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            found = _LEFTOVER.fullmatch(path.name)
            if found and found[2] == "retired" and not (self._folder / found[1]).exists():
                os.replace(path, self._folder / found[1])  # killed between the two renames of a replacement
            elif found:
                shutil.rmtree(path, ignore_errors=True)

    def _kept(self) -> str:
        kept = newest_first(self._folder)
        return f"The last one, {kept[0].name}, is intact." if kept else "There is no earlier one."


def newest_first(folder: Path) -> list[Path]:
    """The folders of checkpoints, highest step first, whole or not."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _STEP.fullmatch(path.name))]
    return [path for _, path in sorted(found, reverse=True)]


def verify(path: Path) -> str | None:
    """What is wrong with the checkpoint at `path`, read to the last byte; None when nothing is."""
    damage = _sizes_differ(path)
    if damage:
        return damage
    with _unreadable() as reason:
        for name, facts in _manifest(path).items():
            with (path / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != facts["sha256"]:
                    return f"{name} is not what was written"
        return None
    return reason[0]


def _write(folder: Path, snapshot: Snapshot) -> None:
    for part, tensors in snapshot.tensors.items():
        assert part.isidentifier(), f"a part's name is a file's name: {part}"
        save_file(_apart(tensors), folder / f"{part}.safetensors")
    state = {"format": FORMAT, "step": snapshot.step, "best": snapshot.best, "parts": list(snapshot.tensors)}
    (folder / "state.json").write_text(json.dumps({**state, "facts": snapshot.facts}, indent=2), encoding="utf-8")
    files = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            files[path.name] = {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({"format": FORMAT, "files": files}, indent=2), encoding="utf-8")


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors on the CPU, contiguous, none sharing memory with another: what safetensors can write."""
    apart: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        place = plain.untyped_storage().data_ptr()
        apart[name] = plain.clone() if place in seen else plain
        seen.add(place)
    return apart


def _read(path: Path) -> Snapshot:
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    # Cloned: a loaded tensor is a window on the file, whose alignment could change the bits of what is computed from it.
    tensors = {
        part: {name: tensor.clone() for name, tensor in load_file(path / f"{part}.safetensors").items()}
        for part in state["parts"]
    }
    return Snapshot(state["step"], tensors, state["facts"], state["best"])


def _manifest(path: Path) -> dict[str, Any]:
    files: dict[str, Any] = json.loads((path / "manifest.json").read_text(encoding="utf-8"))["files"]
    return files


def _sizes_differ(path: Path) -> str | None:
    """What a look at the manifest and the sizes finds wrong, without reading the tensors; None when nothing."""
    with _unreadable() as reason:
        for name, facts in _manifest(path).items():
            if (path / name).stat().st_size != facts["size"]:
                return f"{name} has {(path / name).stat().st_size:,} of {facts['size']:,} bytes"
        return None
    return reason[0]


def _marked_best(path: Path) -> bool:
    with _unreadable():
        return bool(json.loads((path / "state.json").read_text(encoding="utf-8"))["best"])
    return False


@contextmanager
def _unreadable() -> Iterator[list[str]]:
    """Turn what goes wrong while a checkpoint is read into words, in the list that is given."""
    reason: list[str] = []
    try:
        yield reason
    except FileNotFoundError as error:
        reason.append(f"{Path(str(error.filename)).name} is missing")
    except OSError as error:
        reason.append(_reason(error))
    except (ValueError, KeyError, TypeError):
        reason.append("its manifest or state cannot be read")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, SafetensorError) and "StorageFull" in str(error):
        return "No space left on device"
    return str(error)
