"""A table larger than memory, cleaned part by part: look at its split, gather what fitting needs, fit, encode, join."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from polygraft.core.atomic import write_json
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import Fault, UserError
from polygraft.data.arrays import join, map_folder, write_places
from polygraft.data.blocks import TEXT_BLOCK, Reader, schema_of
from polygraft.data.checks import encoder_gives, encoder_of, length_faults, names_faults, steps_faults
from polygraft.data.cleaning import registry as cleaning
from polygraft.data.cleaning.base import Cleaning
from polygraft.data.columns import UnfitError
from polygraft.data.encoders import registry as encoders
from polygraft.data.feature import Feature
from polygraft.data.fitting import column_faults, fit_number, plan_category
from polygraft.data.inference import IDENTIFIER_ROWS, IDENTIFIER_SHARE, infer_column
from polygraft.data.label_values import part_faults
from polygraft.data.part_tasks import Gathered, Job, clean, gather, look_at
from polygraft.data.parts import plan_parts, size_in_memory
from polygraft.data.preprocessor import Preprocessor
from polygraft.data.spec import KINDS, Kind, Step, TableSpec, nowhere
from polygraft.data.splits import NAMES
from polygraft.data.streamed_splits import Look, splitter
from polygraft.data.tallies import MOST_LEVELS, ColumnTally, LabelTally
from polygraft.data.target_kinds import registry as target_kinds

HELD = 4
"""A table is held in memory when so many times the bytes of its columns are allowed: the columns, their forms, the encoded rows."""
_BLOCK_SHARE = 24  # a block's columns take this part of the allowed memory; what is made of them lives beside them
_LEAST_ROWS, _MOST_ROWS = 512, 131_072
_LEAST_BYTES, _READ_AHEAD = 2**16, 512  # of a text that are read at once; Arrow holds some tens of such blocks

Given = TypeVar("Given", bound=object)


class Runner(Protocol):
    """Does a function for each number and gives the results in the order of the numbers; the function pickles."""

    def __call__(self, work: Callable[[int], Given], numbers: range) -> Iterator[Given]: ...


def one_by_one(work: Callable[[int], Given], numbers: range) -> Iterator[Given]:
    """The runner of one process."""
    return map(work, numbers)


def too_large(files: Sequence[Path], memory: int) -> bool:
    """Whether these files are cleaned in a stream when so many bytes are allowed."""
    return HELD * size_in_memory(files) > memory


def stream(spec: TableSpec, files: Sequence[Path], folder: Path, scratch: Path, runner: Runner) -> None:
    """Write `rows`, `preprocessor` and `targets.json` to `folder`. Raises UserError, the faults of all parts at once.

    scratch: a folder for parts that are done, seen by every process; what stands there already is not done again, and the
    caller removes it. The same parts in the same order are cleaned by any runner: what is written does not depend on it.
    """
    job = fitted(spec, files, scratch, runner)
    assert job.preprocessor is not None, "it was fitted"
    pieces = list(runner(partial(clean, job), range(len(job.parts))))
    join(pieces, folder / "rows")
    write_places(map_folder(folder / "rows")["part"], NAMES, folder / "splits")  # 8 bytes a row, not to be held
    job.preprocessor.save(folder / "preprocessor")
    write_json(folder / "targets.json", {task: target.to_json() for task, target in job.targets.items()})


def fitted(spec: TableSpec, files: Sequence[Path], scratch: Path, runner: Runner) -> Job:
    """The job, its rows split and its columns fitted: all faults of the table are told by then. Raises UserError."""
    job = _begin(spec, files, scratch)
    numbers = range(len(job.parts))
    scratch.mkdir(parents=True, exist_ok=True)
    looks = list(runner(partial(look_at, job), numbers))
    job = replace(job, splitter=_splitter(spec, job, looks))
    found: Gathered | None = None
    for each in runner(partial(gather, job), numbers):
        if found is None:
            found = each
        else:
            found.merge(each)
    assert found is not None, "a table has a part"
    preprocessor = Preprocessor(_fit(spec, job, found), spec.plugins)
    targets = {task: labels.target() for task, labels in found.labels.items()}
    return replace(job, preprocessor=preprocessor, targets=targets)


def _begin(spec: TableSpec, files: Sequence[Path], scratch: Path) -> Job:
    """The job, as far as it is known before a row is read."""
    schema = schema_of(files, spec.columns)
    empty = schema.empty_table()
    faults = [*names_faults(spec, empty), *steps_faults(spec)]
    if spec.series is not None:
        faults = [spec.fault("series", "series are not made in a stream. Allow more: memory; or leave series out.")]
    apart = {column for target in spec.targets for column in target.columns} | set(spec.drop) | {spec.weight}
    if spec.split.by in ("group", "column"):
        apart.add(spec.split.column)
    features: dict[str, tuple[Kind, Step]] = {}
    for name in schema.names:
        if name in apart:
            continue
        kind = spec.columns.get(name) or infer_column(empty.column(name)).kind
        if kind not in KINDS:
            what = f"'{name}': values of type {schema.field(name).type} are no feature. Drop it: drop: [{name}]."
            faults.append(spec.fault(f"columns.{name}", what))
            continue
        step, problem = encoder_of(spec, name, kind)
        if not problem and encoder_gives(spec, step) == "input":
            problem = f"'{name}' is a {kind}, and these are not cleaned in a stream. Allow more: memory; or drop it."
        faults += [spec.fault(f"encode.{name}", problem)] if problem else []
        features[name] = (kind, step)
    faults += length_faults(spec, features)
    if not faults and not features:
        faults.append(spec.fault("", "no column is left to be a feature."))
    if not faults and catalogue("data/samplers", spec.plugins)[spec.sampling[0]].facts.get("takes") != "once":
        what = f"'{spec.sampling[0]}' looks at all training rows at once, and these are cleaned in a stream. Allow more: memory; or leave it out."
        faults.append(spec.fault("sampling.name", what))
    for target in spec.targets:
        if not target_kinds.find(target.kind).streams:
            what = f"a {target.kind} is not cleaned in a stream. Allow more: memory."
            faults.append(spec.fault(f"targets.{target.task}", what))
    for i, (name, settings) in enumerate(spec.clean if not faults else ()):
        step = cleaning.make(name, settings, beside=spec.plugins)
        if not isinstance(step, Cleaning) or not step.streams():
            what = f"'{name}' looks at all training rows at once, and these are cleaned in a stream. Allow more: memory; or take it out."
            faults.append(spec.fault(f"clean.{i}.name", what))
    if faults:
        raise UserError(faults)
    return Job(replace(spec, where=nowhere), _reader(spec, schema), plan_parts(files), features, scratch)


def _reader(spec: TableSpec, schema: pa.Schema) -> Reader:
    """What is in memory at once follows from the memory that is allowed; what is written does not depend on it."""
    rows = spec.memory // (_BLOCK_SHARE * 8 * len(schema))
    return Reader(
        schema,
        rows=max(_LEAST_ROWS, min(_MOST_ROWS, rows)),
        bytes=max(_LEAST_BYTES, min(TEXT_BLOCK, spec.memory // _READ_AHEAD)),
    )


def _splitter(spec: TableSpec, job: Job, looks: Sequence[Look | str]):  # type: ignore[no-untyped-def]
    try:
        for each in looks:
            if isinstance(each, str):
                raise UnfitError(each)
        counted = [each for each in looks if isinstance(each, Look)]
        rows = sum(each.rows for each in counted)
        if not rows:
            raise UserError([spec.fault("source", "the table has 0 rows.")])
        return splitter(spec.split, spec.seed, counted, job.parts, job.scratch)
    except UnfitError as error:
        setting, _, what = str(error).partition(": ")
        raise UserError([spec.fault(f"split.{setting}", what)]) from None


def _fit(spec: TableSpec, job: Job, found: Gathered) -> tuple[Feature, ...]:
    """A feature for each column. Raises UserError with all that was found."""
    faults = [spec.fault(path, what) for path, what in dict(reversed(found.faults)).items()]
    if not faults:
        faults += _split_faults(spec, found)
        faults += [
            fault for task, labels in found.labels.items() for fault in _label_faults(spec, task, labels, found.rows)
        ]
    made = [cleaning.make(name, settings, beside=spec.plugins) for name, settings in spec.clean]
    steps = [step for step in made if isinstance(step, Cleaning)]
    features = []
    for name, (kind, step) in job.features.items():
        tally = found.columns[name]
        if f"columns.{name}" in dict(found.faults):
            continue
        if problem := _problem(spec, name, kind, tally):
            faults.append(spec.fault(f"columns.{name}", problem))
            continue
        encoder = encoders.make(step[0], step[1], beside=spec.plugins)
        bad = [fault for known in tally.numbers.values() for fault in column_faults(spec, name, known)][:1]
        faults += bad
        if bad:
            continue
        numbers = {
            part: fit_number(f"{name} {part}".strip(), known, encoder=encoder, steps=steps, part=part)
            for part, known in tally.numbers.items()
        }
        category = None
        if encoder.gives == "categories":
            category = plan_category(name, tally.levels.levels(), encoder=encoder, steps=steps)
        features.append(Feature(name, kind, str(job.reader.schema.field(name).type), step, numbers, category))
    if faults:
        raise UserError(faults)
    return tuple(features)


def _problem(spec: TableSpec, name: str, kind: Kind, tally: ColumnTally) -> str:
    """What is wrong with a column, in the words of a table that is held in memory; empty when nothing is."""
    known = tally.rows - tally.nulls
    if not known:
        return f"every value of '{name}' is null. Drop it: drop: [{name}]."
    if kind == "category":
        counts = tally.levels.counts
        if counts is None:
            return f"'{name}' has more than {MOST_LEVELS:,} levels. Drop it: drop: [{name}]."
        if name not in spec.columns and known >= IDENTIFIER_ROWS and len(counts) > IDENTIFIER_SHARE * known:
            what = f"an identifier or a free text: {len(counts):,} levels in {known:,} values"
            mend = f"Drop it: drop: [{name}]; or say what it is: columns: {{{name}: category}}, or {{{name}: text}}."
            return f"'{name}' looks like {what}. {mend}"
    return ""


def _split_faults(spec: TableSpec, found: Gathered) -> list[Fault]:
    wanted = {"train": 1, "validation": spec.split.validation, "test": spec.split.test}
    lacking = [name for name, part in NAMES.items() if wanted[name] and not found.rows[part]]
    return [spec.fault("split", f"no row of {found.rows.sum():,} is left for {name}.") for name in lacking]


def _label_faults(spec: TableSpec, task: str, labels: LabelTally, rows: np.ndarray) -> list[Fault]:
    place, columns = f"targets.{task}", labels.spec.columns
    if not labels.labelled.any():
        return [spec.fault(place, f"'{', '.join(columns)}' holds no label at all.")]
    if labels.infinite:
        return [spec.fault(place, f"{labels.infinite:,} labels of '{columns[0]}' are infinite. Make them null.")]
    if labels.spec.kind == "category":
        if labels.levels.counts is None:
            return [spec.fault(place, f"'{columns[0]}' has more than {MOST_LEVELS:,} classes.")]
        if len(labels.names()) == 1:
            what = f"every label is '{labels.names()[0]}'; there is nothing to learn."
            return [spec.fault(place, what)]
    faults = []
    for name, part in NAMES.items():
        if not rows[part]:
            continue
        said = "training" if name == "train" else name
        found = part_faults(
            labels.spec, labels.names(), said, labelled=int(labels.labelled[part]), counts=labels.counts(part)
        )
        faults += [
            spec.fault(place, f"{what} Change split: (by, shares or seed), or merge the class.") for what in found
        ]
    return faults
