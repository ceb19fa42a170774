"""From a table's description to encoded, memory-mapped arrays: read, check, split, clean, encode, and keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from polygraft.core.atomic import write_json
from polygraft.core.batch import Inputs
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.data import splits as parts
from polygraft.data.cache import Digest, map_arrays, once, read_json, write_arrays
from polygraft.data.checks import Checked, check
from polygraft.data.fitting import fit
from polygraft.data.preprocessor import Preprocessor, encode_features
from polygraft.data.recipes import Recipe, recipe
from polygraft.data.spec import TableSpec
from polygraft.data.tables import find, read
from polygraft.data.targets import Target


@dataclass(frozen=True)
class Prepared:
    """A table ready for training. Arrays over rows are read-only and memory-mapped, in the order of the table's rows.

    inputs: `numbers` float32 [rows, n], `categories` int32 [rows, m]. targets, present: by task, as in Target.
    weights: float32 [rows]. splits: `train`, `validation`, `test`, int64 row numbers, ascending.
    shape: what a stem is built from. fingerprint: of all that decides the arrays; equal content, equal fingerprint.
    schema: by raw column its kind, Arrow type and, for a category, its levels.
    """

    name: str
    inputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    weights: np.ndarray
    splits: dict[str, np.ndarray]
    shape: Inputs
    target_info: dict[str, Target]
    preprocessor: Preprocessor
    fingerprint: str

    @property
    def rows(self) -> int:
        """All rows of the table."""
        return len(self.weights)

    @property
    def schema(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for feature in self.preprocessor.features:
            found[feature.column] = {"kind": feature.kind, "type": feature.type}
            if feature.category is not None:
                found[feature.column]["levels"] = list(feature.category.levels)
        return found


def prepare(spec: TableSpec, cache: Path) -> Prepared:
    """The prepared table, from `cache` when the same content was prepared before, by whatever process.

    Raises UserError with all faults of the table at once.
    """
    source, digest = _source(spec, cache)
    fingerprint = _fingerprint(spec, digest)
    folder = once(cache / "tables" / fingerprint, lambda temporary: _make(spec, source(), temporary))
    return _load(spec, folder, fingerprint)


def raw_table(spec: TableSpec, cache: Path) -> pa.Table:
    """The table as its files or its recipe give it; a recipe's output comes from `cache`. Raises UserError."""
    source, _ = _source(spec, cache)
    return source()


def _source(spec: TableSpec, cache: Path) -> tuple[Callable[[], pa.Table], str]:
    """(how to get the raw table, the digest of its content), without reading more than bytes."""
    made = recipe(spec.sources[0], spec.folder) if len(spec.sources) == 1 else None
    if made is None:
        files, faults = find(spec.sources, spec.folder)
        if faults:
            raise UserError([spec.fault("source", f"{each.where}: {each.what}") for each in faults])
        digest = Digest("files")
        for file in files:
            digest.words(file.suffix)
            digest.file(file)
        return lambda: read(files), digest.hex()
    folder = once(cache / "recipes" / made.digest(), lambda temporary: _run(made, temporary))
    return lambda: ipc.open_file(pa.memory_map(str(folder / "table.arrow"))).read_all(), read_json(
        folder / "digest.json"
    )


def _run(made: Recipe, folder: Path) -> None:
    table = made.run()
    with ipc.new_file(str(folder / "table.arrow"), table.schema) as writer:
        writer.write_table(table)
    digest = Digest("table")
    digest.file(folder / "table.arrow")
    write_json(folder / "digest.json", digest.hex())


def _fingerprint(spec: TableSpec, source: str) -> str:
    """Of the source's content, the description, and the code of every plugin that it names or that its kinds take."""
    digest = Digest("prepared", source, spec.content())
    steps = catalogue("data/cleaning", spec.plugins)
    for name, _ in spec.clean:
        if name in steps:
            digest.file(steps[name].path)
    for _, plugin in sorted(catalogue("data/encoders", spec.plugins).items()):
        digest.words(plugin.name)
        digest.file(plugin.path)
    return f"{spec.name}-{digest.hex()[:24]}"


def _make(spec: TableSpec, table: pa.Table, folder: Path) -> None:
    """Everything `_load` reads, written to `folder`."""
    checked = check(spec, table)
    features = fit(spec, checked)
    encoded, _ = encode_features(features, checked.columns, spec.plugins)
    arrays: dict[str, np.ndarray] = {"part": checked.parts, "weights": checked.weights}
    arrays |= {name: array for name, array in encoded.items() if array.shape[1]}
    for task, labels in checked.labels.items():
        arrays[f"target/{task}"], arrays[f"present/{task}"] = labels.values, labels.present.view(np.uint8)
    write_arrays(folder / "rows.arrow", arrays)
    Preprocessor(features, spec.plugins).save(folder / "preprocessor")
    targets = _targets(checked)
    write_json(folder / "targets.json", {task: target.to_json() for task, target in targets.items()})


def _targets(checked: Checked) -> dict[str, Target]:
    training = np.flatnonzero(checked.parts == parts.TRAINING)
    return {task: labels.target(training, checked.weights) for task, labels in checked.labels.items()}


def _load(spec: TableSpec, folder: Path, fingerprint: str) -> Prepared:
    arrays = map_arrays(folder / "rows.arrow")
    preprocessor = Preprocessor.load(folder / "preprocessor", spec.plugins)
    rows = len(arrays["weights"])
    empty: Mapping[str, Any] = {"numbers": np.float32, "categories": np.int32}
    tasks = [target.task for target in spec.targets]
    return Prepared(
        name=spec.name,
        inputs={name: arrays.get(name, np.empty((rows, 0), kind)) for name, kind in empty.items()},
        targets={task: arrays[f"target/{task}"] for task in tasks},
        present={task: arrays[f"present/{task}"].view(np.bool_) for task in tasks},
        weights=arrays["weights"],
        splits={name: np.flatnonzero(arrays["part"] == part) for name, part in parts.NAMES.items()},
        shape=preprocessor.shape,
        target_info={task: Target.from_json(each) for task, each in read_json(folder / "targets.json").items()},
        preprocessor=preprocessor,
        fingerprint=fingerprint,
    )
