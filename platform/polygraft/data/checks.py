"""Checks: a raw table against its description; all faults at once, or the columns in their one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from polygraft.core.catalogue import catalogue
from polygraft.core.errors import Fault, UserError, nearest
from polygraft.data import splits
from polygraft.data.columns import UnfitError, as_floats, conform
from polygraft.data.inference import infer_column
from polygraft.data.series import Chains, chains, extended, extended_spec, labels_within, series_faults
from polygraft.data.spec import KINDS, Kind, Step, TableSpec
from polygraft.data.tables import check_names
from polygraft.data.target import Labels
from polygraft.data.target_kinds import registry as target_kinds
from polygraft.data.targets import read_labels, split_faults

ENCODERS: dict[Kind, str] = {
    "number": "standard",
    "category": "vocabulary",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "text": "text",
    "list": "list",
    "image": "image",
}
"""The encoder of each kind, where `encode:` names none."""


@dataclass
class Checked:
    """A table without fault, as far as can be told before fitting.

    features: kind and encoder of each feature column. columns: those, conformed. types: their raw Arrow types.
    parts: uint8 [rows], see splits. weights: float32 [rows]. earlier: int64 [rows], of a table of series the row a season
    earlier in the same one, -1 where there is none.
    """

    features: dict[str, tuple[Kind, Step]] = field(default_factory=dict)
    columns: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Labels] = field(default_factory=dict)
    weights: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    parts: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))
    earlier: np.ndarray | None = None


def check(spec: TableSpec, table: pa.Table) -> Checked:
    """The table's columns, labels, weights and parts. Raises UserError with every fault that was found."""
    check_names(table, spec.where("source") or spec.name)
    made = None
    if spec.series is not None:
        if faults := series_faults(spec, table):
            raise UserError(faults)
        try:
            made = chains(spec.series, table)
        except UnfitError as error:
            setting, _, what = str(error).partition(": ")
            raise UserError([spec.fault(f"series.{setting}", what)]) from None
        table = extended(spec.series, table, made)
        spec = extended_spec(spec)
    faults = [*names_faults(spec, table), *steps_faults(spec)]
    checked = Checked()
    if made is not None and spec.series is not None:
        checked.earlier = made.shifted(-spec.series.season)
    faults += _read_features(spec, table, checked)
    faults += length_faults(spec, checked.features)
    faults += _read_labels(spec, table, checked)
    faults += read_weights(spec, table, checked)
    if spec.split.by == "random" or spec.split.column in table.column_names:
        faults += _read_parts(spec, table, checked, made)
    if faults:
        raise UserError(faults)
    return checked


def names_faults(spec: TableSpec, table: pa.Table) -> list[Fault]:
    """Every column that the description names must be there, and in one role only."""
    targets = {column: target.task for target in spec.targets for column in target.columns}
    named = [(f"columns.{column}", column) for column in spec.columns]
    named += [(f"drop.{i}", column) for i, column in enumerate(spec.drop)]
    named += [(f"encode.{column}", column) for column in spec.encode]
    named += [(f"targets.{task}", column) for column, task in targets.items()]
    named += [("weight", spec.weight)] if spec.weight else []
    named += [("split.column", spec.split.column)] if spec.split.column and spec.split.by != "random" else []
    known = table.column_names
    faults = [
        spec.fault(place, f"the table '{spec.name}' has no column '{column}'.{nearest(column, known)}")
        for place, column in named
        if column not in known
    ]
    for column, kind in spec.columns.items():
        if kind not in KINDS:
            faults.append(spec.fault(f"columns.{column}", f"no kind is called '{kind}'; there are {', '.join(KINDS)}."))
    for role in ("columns", "encode"):
        for column in getattr(spec, role):
            if column in targets:
                what = (
                    f"'{column}' is the target of task '{targets[column]}', so it is no feature. Take it out of {role}."
                )
                faults.append(spec.fault(f"{role}.{column}", what))
            elif column == spec.weight:
                what = f"'{column}' is the row weight, so it is no feature. Take it out of {role}."
                faults.append(spec.fault(f"{role}.{column}", what))
    if spec.weight in targets:
        faults.append(spec.fault("weight", f"'{spec.weight}' is the target of task '{targets[spec.weight]}' too."))
    if spec.split.by != "random" and not spec.split.column:
        faults.append(spec.fault("split", f"by: {spec.split.by} needs column:, the column to split by."))
    return faults


def steps_faults(spec: TableSpec) -> list[Fault]:
    """Cleaning steps and encoders exist, and their settings fit."""
    faults = []
    steps = catalogue("data/cleaning", spec.plugins)
    for i, (name, settings) in enumerate(spec.clean):
        faults += [spec.fault(f"clean.{i}.{key}", what) for key, what in steps.problems(name, settings)]
    samplers = catalogue("data/samplers", spec.plugins)
    faults += [spec.fault(f"sampling.{key}", what) for key, what in samplers.problems(*spec.sampling)]
    plugins = catalogue("data/encoders", spec.plugins)
    for column, (name, settings) in spec.encode.items():
        faults += [spec.fault(f"encode.{column}.{key}", what) for key, what in plugins.problems(name, settings)]
    return faults


def _read_features(spec: TableSpec, table: pa.Table, checked: Checked) -> list[Fault]:
    """Every other column is a feature: in its kind's form, or a fault. Several are looked at at once."""
    from polygraft.data.kernels.threads import each

    apart = {column for target in spec.targets for column in target.columns} | set(spec.drop) | {spec.weight}
    if spec.split.by in ("group", "column"):  # no test row shares its group; a part says nothing
        apart.add(spec.split.column)
    names = [name for name in table.column_names if name not in apart]
    faults = []
    for name, found in zip(names, each(lambda name: _read_feature(spec, name, table.column(name)), names), strict=True):
        faults += found.faults
        if found.column is not None:
            checked.columns[name], checked.features[name] = found.column, (found.kind, found.step)
            checked.types[name] = str(table.column(name).type)
    if not faults and not checked.features:
        faults.append(spec.fault("", "no column is left to be a feature."))
    return faults


@dataclass(frozen=True)
class _Read:
    """A column that is to be a feature; none where it cannot be."""

    faults: list[Fault]
    column: pa.ChunkedArray | None = None
    kind: Kind = "number"
    step: Step = ("", {})


def _read_feature(spec: TableSpec, name: str, column: pa.ChunkedArray) -> _Read:
    place = f"columns.{name}"
    if column.null_count == len(column):
        return _Read([spec.fault(place, f"every value of '{name}' is null. Drop it: drop: [{name}].")])
    kind, problem = _kind(spec, name, column)
    if problem:
        return _Read([spec.fault(place, problem)])
    step, problem = encoder_of(spec, name, kind)
    faults = [spec.fault(f"encode.{name}", problem)] if problem else []
    try:
        return _Read(faults, conform(column, kind), kind, step)
    except UnfitError as error:
        mend = "Mend the values, or declare another kind."
        return _Read([*faults, spec.fault(place, f"'{name}' is declared a {kind}, but {error} {mend}")])


def length_faults(spec: TableSpec, features: Mapping[str, tuple[Kind, Step]]) -> list[Fault]:
    """Batches of rows of like length need something that has a length."""
    if not spec.by_length or any(kind in ("list", "text") for kind, _ in features.values()):
        return []
    return [spec.fault("by_length", "no feature is a list or a text, so all rows are as long. Leave by_length out.")]


def _kind(spec: TableSpec, name: str, column: pa.ChunkedArray) -> tuple[Kind, str]:
    """The kind of a column, and what is wrong with it."""
    if spec.columns.get(name) in KINDS:
        return spec.columns[name], ""
    inferred = infer_column(column)
    if inferred.kind is None:
        return "number", f"'{name}': {inferred.droppable}. Drop it: drop: [{name}]."
    if inferred.kind == "category" and inferred.droppable:
        mend = f"Drop it: drop: [{name}]; or say what it is: columns: {{{name}: category}}, or {{{name}: text}}."
        return "category", f"'{name}' looks like {inferred.droppable}. {mend}"
    return inferred.kind, ""


def encoder_of(spec: TableSpec, name: str, kind: Kind) -> tuple[Step, str]:
    """The encoder of a column, and what is wrong with it."""
    step = spec.encode.get(name, (ENCODERS.get(kind, "standard"), {}))
    plugins = catalogue("data/encoders", spec.plugins)
    if name in spec.encode and step[0] in plugins and kind not in plugins[step[0]].facts.get("takes", ()):
        allowed = ", ".join(plugins.names(takes=kind))
        return step, f"'{step[0]}' does not encode a {kind}, which '{name}' is. These do: {allowed}."
    return step, ""


def encoder_gives(spec: TableSpec, step: Step) -> str:
    """Which matrix an encoder writes to, or `input`; empty where it is not known."""
    plugins = catalogue("data/encoders", spec.plugins)
    return str(plugins[step[0]].facts.get("gives", "")) if step[0] in plugins else ""


def _read_labels(spec: TableSpec, table: pa.Table, checked: Checked) -> list[Fault]:
    faults = []
    for target in spec.targets:
        place = f"targets.{target.task}"
        if any(column not in table.column_names for column in target.columns):
            continue  # names_faults has said so
        fewest, most = target_kinds.find(target.kind).columns
        if not fewest <= len(target.columns) <= (most or len(target.columns)):
            wanted = f"{fewest}{' or more' if most is None else ''}"
            faults.append(spec.fault(place, f"a {target.kind} has {wanted} target columns, not {len(target.columns)}."))
            continue
        try:
            labels = read_labels(target, table)
        except UnfitError as error:
            faults.append(spec.fault(place, f"{error}"))
            continue
        if not labels.present.any():
            faults.append(spec.fault(place, f"'{', '.join(target.columns)}' holds no label at all."))
        else:
            checked.labels[target.task] = labels
    return faults


def read_weights(spec: TableSpec, table: pa.Table, checked: Checked) -> list[Fault]:
    """Set the rows' weights, and say what is wrong with them."""
    checked.weights = np.ones(len(table), np.float32)
    if spec.weight is None or spec.weight not in table.column_names:
        return []
    try:
        weights = as_floats(table.column(spec.weight))
    except UnfitError as error:
        return [spec.fault("weight", f"'{spec.weight}': {error}")]
    with np.errstate(over="ignore"):  # what is too large for 32 bits is infinite
        checked.weights = weights.astype(np.float32)
    bad = np.flatnonzero(~(np.isfinite(checked.weights) & (checked.weights >= 0)))
    if len(bad):
        value = table.column(spec.weight)[int(bad[0])].as_py()
        what = f"'{spec.weight}' is {value} in row {bad[0] + 1:,}; weights are finite and not negative."
        return [spec.fault("weight", what)]
    return []


def _read_parts(spec: TableSpec, table: pa.Table, checked: Checked, made: Chains | None) -> list[Fault]:
    """The split, and whether each part has what each task needs."""
    column = table.column(spec.split.column) if spec.split.column and spec.split.by != "random" else None
    try:
        checked.parts = splits.split(spec.split, len(table), column, spec.seed)
    except UnfitError as error:
        setting, _, what = str(error).partition(": ")
        return [spec.fault(f"split.{setting}", what)]
    if made is not None:
        for task, labels in checked.labels.items():
            checked.labels[task] = labels_within(spec, labels, made, checked.parts)
    rows = {name: np.flatnonzero(checked.parts == part) for name, part in splits.NAMES.items()}
    faults = []
    for name, wanted in (("train", 1), ("validation", spec.split.validation), ("test", spec.split.test)):
        if not len(rows[name]) and wanted:
            faults.append(spec.fault("split", f"no row of {len(table):,} is left for {name}."))
    named = {"training" if name == "train" else name: numbers for name, numbers in rows.items()}
    mend = "Change split: (by, shares or seed), or merge the class."
    for task, labels in checked.labels.items():
        faults += [spec.fault(f"targets.{task}", f"{what} {mend}") for what in split_faults(labels, named)]
    return faults
