"""From a table's description to encoded, memory-mapped arrays: read, check, split, clean, encode, and keep."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from polygraft.core.atomic import write_json
from polygraft.core.batch import Inputs
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError, fault
from polygraft.data import splits as parts
from polygraft.data.arrays import map_folder
from polygraft.data.cache import Digest, map_arrays, once, read_json, write_arrays
from polygraft.data.checks import check
from polygraft.data.environments import EnvironmentSpec
from polygraft.data.feature import encode_features
from polygraft.data.fitting import fit
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.ragged import Encoded, Ragged
from polygraft.data.recipes import Recipe, recipe
from polygraft.data.resampling import sample
from polygraft.data.row_steps import Changed, change_rows, changes
from polygraft.data.sampling import Buckets
from polygraft.data.spec import TableSpec
from polygraft.data.streaming import Runner, one_by_one, stream, too_large
from polygraft.data.tables import find, read
from polygraft.data.target import Target
from polygraft.data.targets import target_of


@dataclass(frozen=True)
class Prepared:
    """A table ready for training. Arrays over rows are read-only and memory-mapped, in the order of the table's rows.

    inputs: `numbers` float32 [rows, n], `categories` int32 [rows, m], and every other by its name, an array [rows, ...],
        Ragged or Images. targets, present: by task, as in Target.
    weights: float32 [rows]. splits: `train`, `validation`, `test`, int64 row numbers, ascending.
    shape: what a stem is built from. fingerprint: of all that decides the arrays; equal content, equal fingerprint.
    shares: float64 [training rows], how often each comes beside the others; None where each comes once an epoch.
    by_length: of how many batches the rows are sorted by length together; 0 of none.
    changed: what each row step of `clean:` did to the training rows. environment: what is played in place of rows, of which there
        are none then. schema: by raw column its kind, Arrow type and, for a
        category, its levels.
    """

    name: str
    inputs: dict[str, Encoded]
    targets: dict[str, np.ndarray | Ragged]
    present: dict[str, np.ndarray]
    weights: np.ndarray
    splits: dict[str, np.ndarray]
    shape: Inputs
    target_info: dict[str, Target]
    preprocessor: Preprocessor
    fingerprint: str
    changed: tuple[Changed, ...] = ()
    shares: np.ndarray | None = None
    by_length: int = 0
    environment: EnvironmentSpec | None = None

    def buckets(self, batch_size: int) -> Buckets | None:
        """How batches of rows of like length are made; None where the suite does not ask for them, or all rows are as long."""
        ragged = [each.lengths for each in self.inputs.values() if isinstance(each, Ragged)]
        if not self.by_length or not ragged:
            return None
        return Buckets(np.sum(ragged, 0), batch_size, self.by_length)

    @property
    def rows(self) -> int:
        """All rows of the table."""
        return len(self.weights)

    @property
    def matrices(self) -> dict[str, np.ndarray]:
        """`numbers` and `categories` alone."""
        return {name: cast(np.ndarray, self.inputs[name]) for name in ("numbers", "categories")}

    @property
    def schema(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for feature in self.preprocessor.features:
            found[feature.column] = {"kind": feature.kind, "type": feature.type}
            if feature.category is not None:
                found[feature.column]["levels"] = list(feature.category.levels)
        return found


def prepare(spec: TableSpec, cache: Path, runner: Runner = one_by_one) -> Prepared:
    """The prepared table, from `cache` when the same content was prepared before, by whatever process.

    A table that would take more than the memory it is allowed is cleaned in a stream, part by part, by the runner.
    Raises UserError with all faults of the table at once.
    """
    source = source_of(spec, cache)
    streamed = too_large(source.files, spec.memory)
    fingerprint = fingerprint_of(spec, source.digest, streamed)
    scratch = cache / "parts" / fingerprint

    def make(temporary: Path) -> None:
        if streamed:
            stream(spec, source.files, temporary, scratch, runner)
        else:
            _make(spec, source.read(), temporary)

    folder = once(cache / "tables" / fingerprint, make)
    if streamed:
        shutil.rmtree(scratch, ignore_errors=True)
    return _load(spec, folder, fingerprint)


def raw_table(spec: TableSpec, cache: Path) -> pa.Table:
    """The table as its files or its recipe give it; a recipe's output comes from `cache`. Raises UserError."""
    return source_of(spec, cache).read()


@dataclass(frozen=True)
class Source:
    """Where a raw table is: its files, the digest of their content, and how they are read whole."""

    files: tuple[Path, ...]
    digest: str
    read: Callable[[], pa.Table]


def source_of(spec: TableSpec, cache: Path) -> Source:
    """The raw table's source, of which no more than bytes were read."""
    made = recipe(spec.sources[0], spec.folder) if len(spec.sources) == 1 else None
    if made is None:
        files, faults = find(spec.sources, spec.folder)
        if faults:
            raise UserError([spec.fault("source", f"{each.where}: {each.what}") for each in faults])
        digest = Digest("files")
        for file in files:
            digest.words(file.suffix)
            digest.file(file)
        return Source(tuple(files), digest.hex(), lambda: read(files))
    folder = once(cache / "recipes" / made.digest(), lambda temporary: _run(made, temporary))
    table = folder / "table.arrow"
    return Source(
        (table,), read_json(folder / "digest.json"), lambda: ipc.open_file(pa.memory_map(str(table))).read_all()
    )


def _run(made: Recipe, folder: Path) -> None:
    table = made.run()
    try:
        table = table.unify_dictionaries()  # an Arrow file holds one dictionary a column
        with ipc.new_file(str(folder / "table.arrow"), table.schema) as writer:
            writer.write_table(table)
    except pa.ArrowException as error:
        raise fault(f"the table that it gave cannot be kept: {error}", f"{made.file.name}:{made.function}") from error
    digest = Digest("table")
    digest.file(folder / "table.arrow")
    write_json(folder / "digest.json", digest.hex())


def fingerprint_of(spec: TableSpec, source: str, streamed: bool) -> str:
    """Of the source's content, the description, and the code of every plugin that it names or that its kinds take."""
    digest = Digest("prepared", source, spec.content(), *(["streamed"] if streamed else []))
    for _, (_, settings) in sorted(spec.encode.items()):
        for file in (spec.folder / each for _, each in sorted(settings.items()) if isinstance(each, str)):
            if file.is_file():  # a setting may name a file beside the suite: its content counts
                digest.file(file)
    samplers = catalogue("data/samplers", spec.plugins)
    if spec.sampling[0] in samplers:
        digest.file(samplers[spec.sampling[0]].path)
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
    changed = change_rows(spec, table, checked)
    features = fit(spec, checked)
    encoded, _ = encode_features(features, checked.columns, spec.plugins)
    preprocessor = Preprocessor(features, spec.plugins, spec.series)
    if bad := preprocessor.infinite(cast(np.ndarray, encoded["numbers"])):
        mend = "Pull it in, clean: [{name: outliers}], or drop the column."
        what = "a value so far from the training rows' that 32 bits do not hold it"
        raise UserError([spec.fault(f"columns.{name}", f"'{name}' has {what}. {mend}") for name in bad])
    training = np.flatnonzero(checked.parts == parts.TRAINING)
    preprocessor = preprocessor.with_neighbours(encoded, checked.columns, training, spec.seed)
    preprocessor.fill(encoded, checked.columns)
    targets = {
        task: target_of(labels, training, checked.weights, earlier=checked.earlier)
        for task, labels in checked.labels.items()
    }
    shares = sample(spec, table, checked)
    arrays: dict[str, Encoded] = {"part": checked.parts, "weights": checked.weights}
    arrays |= {name: array for name, array in encoded.items() if not isinstance(array, np.ndarray) or array.size}
    for task, labels in checked.labels.items():
        arrays[f"target/{task}"], arrays[f"present/{task}"] = labels.values, labels.present.view(np.uint8)
    if shares is not None:
        arrays["shares"] = shares
    write_arrays(folder / "rows.arrow", arrays)
    preprocessor.save(folder / "preprocessor")
    write_json(folder / "changed.json", [each.to_json() for each in changed])
    write_json(folder / "targets.json", {task: target.to_json() for task, target in targets.items()})


def _splits(part: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.flatnonzero(part == code) for name, code in parts.NAMES.items()}


def _load(spec: TableSpec, folder: Path, fingerprint: str) -> Prepared:
    mapped: Mapping[str, Encoded] = (
        map_folder(folder / "rows") if (folder / "rows").is_dir() else map_arrays(folder / "rows.arrow")
    )
    arrays = {name: array for name, array in mapped.items() if isinstance(array, np.ndarray)}
    preprocessor = Preprocessor.load(folder / "preprocessor", spec.plugins)
    rows = len(arrays["weights"])
    empty: Mapping[str, Any] = {"numbers": np.float32, "categories": np.int32}
    tasks = [target.task for target in spec.targets]
    return Prepared(
        name=spec.name,
        inputs={
            **{name: arrays.get(name, np.empty((rows, 0), kind)) for name, kind in empty.items()},
            **preprocessor.kept(mapped),
        },
        targets={task: cast("np.ndarray | Ragged", mapped[f"target/{task}"]) for task in tasks},
        present={task: arrays[f"present/{task}"].view(np.bool_) for task in tasks},
        weights=arrays["weights"],
        splits=map_folder(folder / "splits") if (folder / "splits").is_dir() else _splits(arrays["part"]),
        shape=preprocessor.shape,
        target_info={task: Target.from_json(each) for task, each in read_json(folder / "targets.json").items()},
        preprocessor=preprocessor,
        fingerprint=fingerprint,
        changed=changes(folder / "changed.json"),
        by_length=spec.by_length,
        shares=arrays["shares"][arrays["part"] == parts.TRAINING] if "shares" in arrays else None,
    )
