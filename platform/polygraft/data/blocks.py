"""A table's rows block by block: types that the first block decides, and a fault with its place where a later one does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, ipc, json, parquet

from polygraft.core.errors import Fault, UserError, fault
from polygraft.data.parts import Part
from polygraft.data.spec import Kind
from polygraft.data.tables import READABLE, check_names, kind_of_file, unreadable

TEXT_BLOCK = 2**20
"""Bytes of a text file that are read at once; the first so many decide the types of its columns."""
_CSV_ROW = re.compile(r"Row #(\d+)")
_CSV_COLUMN = re.compile(r"CSV column #(\d+)")


@dataclass(frozen=True)
class Block:
    """Some rows of a part. first: the number of its first row within the part."""

    table: pa.Table
    first: int


@dataclass(frozen=True)
class Reader:
    """Reads parts of files that have one schema. rows: of a block at most; bytes: of a text that are read at once. Pickles, so
    that a task elsewhere may read.
    """

    schema: pa.Schema
    rows: int
    bytes: int = TEXT_BLOCK

    def blocks(self, part: Part, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """The part's rows in their order, or these columns of them. Raises UserError where the file is broken, or holds other types."""
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        first = 0
        try:
            for table in _cut(self._batches(part, schema), self.rows):
                yield Block(_as(schema, table, part, first), first)
                first += len(table)
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
            raise _broken(part.file, error) from error

    def count(self, part: Part) -> int:
        """The part's rows; a text file is read for it."""
        if part.groups is not None:
            metadata = parquet.read_metadata(part.file)
            return sum(metadata.row_group(group).num_rows for group in part.groups)
        return sum(len(block.table) for block in self.blocks(part, self.schema.names[:1]))

    def _batches(self, part: Part, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        kind, names = kind_of_file(part.file), schema.names
        if kind in (".csv", ".tsv"):
            yield from _open_csv(part.file, schema, _whole(part.file), block=self.bytes)
        elif kind in (".jsonl", ".ndjson"):
            for batch in _open_json(schema, _whole(part.file), block=self.bytes):
                batch.validate(full=True)  # the reader takes any bytes for text
                yield batch
        elif part.groups is not None:
            # Pages are read as they are needed: a row group may be larger than the memory that is allowed.
            with parquet.ParquetFile(part.file, pre_buffer=False, buffer_size=2**16) as file:
                yield from file.iter_batches(self.rows, list(part.groups), names, use_threads=False)
        else:
            for batch in _open_arrow(part.file)[1]:
                yield batch.select(names)


def _cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of so many; the last has what is left."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while count + len(batch) - start >= rows:
            stop = start + rows - count
            yield pa.Table.from_batches([*held, batch.slice(start, stop - start)])
            held, count, start = [], 0, stop
        if start < len(batch):
            held.append(batch.slice(start))
            count += len(batch) - start
    if held:
        yield pa.Table.from_batches(held)


def schema_of(files: Sequence[Path], kinds: Mapping[str, Kind]) -> pa.Schema:
    """The schema that all files have, types promoted as in a table that is read whole; declared kinds help where the first block
    of a text says little. Raises UserError, all faults at once.
    """
    found: list[pa.Schema] = []
    faults: list[Fault] = []
    for file in files:
        try:
            schema = _schema(file)
            check_names(schema.empty_table(), str(file), filled=False)
            if found and set(schema.names) != set(found[0].names):
                extra = ", ".join(sorted(set(schema.names) ^ set(found[0].names))[:8])
                raise fault(f"its columns are not those of {files[0].name}: {extra}.", str(file))
            found.append(schema)
        except UserError as error:
            faults += error.faults
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
            faults += unreadable(file, kind_of_file(file), error).faults
    if faults:
        raise UserError(faults)
    try:
        schema = pa.unify_schemas(found, promote_options="permissive")
    except pa.ArrowException as error:
        raise fault(f"the files' columns have different types: {error}", str(files[0].parent)) from error
    return pa.schema([_helped(field, kinds.get(field.name)) for field in schema])


def _helped(field: pa.Field, kind: Kind | None) -> pa.Field:
    if kind == "number" and (pa.types.is_integer(field.type) or pa.types.is_null(field.type)):
        return pa.field(field.name, pa.float64())
    if pa.types.is_null(field.type) and kind is not None:
        return pa.field(field.name, pa.string())
    return pa.field(field.name, field.type)


def _schema(file: Path) -> pa.Schema:
    if file.stat().st_size == 0:
        raise fault("the file is empty: 0 bytes.", str(file))
    kind = kind_of_file(file)
    if kind in (".parquet", ".pq"):
        return parquet.read_schema(file).remove_metadata()
    if kind in (".csv", ".tsv", ".jsonl", ".ndjson"):
        schema = (
            _open_csv(file, None, _head(file)) if kind in (".csv", ".tsv") else _open_json(None, _head(file))
        ).schema
        if any(pa.types.is_binary(field.type) for field in schema):
            raise unreadable(file, kind, None)
        return schema
    if kind in (".arrow", ".feather", ".ipc"):
        return _open_arrow(file)[0]
    raise fault(f"files of type '{kind}' are not read; these are: {READABLE}.", str(file))


def _whole(file: Path) -> pa.NativeFile:
    return pa.input_stream(str(file), compression="gzip" if file.suffix == ".gz" else None)


def _head(file: Path) -> pa.NativeFile:
    """The first lines; a reader of the whole file would read ahead by tens of megabytes."""
    with _whole(file) as source:
        text = source.read(TEXT_BLOCK)
    return pa.BufferReader(text[: text.rfind(b"\n") + 1] if len(text) == TEXT_BLOCK and b"\n" in text else text)


def _open_csv(
    file: Path, schema: pa.Schema | None, source: pa.NativeFile, *, block: int = TEXT_BLOCK
) -> csv.CSVStreamingReader:
    chosen: dict[str, Any] = {} if schema is None else {"column_types": schema, "include_columns": schema.names}
    return csv.open_csv(
        source,
        csv.ReadOptions(use_threads=False, block_size=block),
        csv.ParseOptions(delimiter="\t" if ".tsv" in file.suffixes else ","),
        csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, **chosen),
    )


def _open_json(schema: pa.Schema | None, source: pa.NativeFile, *, block: int = TEXT_BLOCK) -> Any:
    how = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer" if schema is None else "ignore")
    return json.open_json(source, json.ReadOptions(use_threads=False, block_size=block), how)


def _open_arrow(file: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    source = pa.OSFile(str(file))
    try:
        reader = ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = ipc.open_stream(source)
        return stream.schema.remove_metadata(), iter(stream)
    return reader.schema.remove_metadata(), (reader.get_batch(i) for i in range(reader.num_record_batches))


def _as(schema: pa.Schema, table: pa.Table, part: Part, first: int) -> pa.Table:
    table = table.replace_schema_metadata(None).select(schema.names)
    try:
        return table.cast(schema)
    except pa.ArrowException as error:
        rows = f"{part.file}, rows {first + 1:,} to {first + len(table):,} of {part}"
        raise fault(f"values do not fit the type that the columns of all files have: {error}", rows) from error


def _broken(file: Path, error: Exception) -> UserError:
    """A value of another type than the first block's is told with its row; all else as by whom reads files whole."""
    row, column = _CSV_ROW.search(str(error)), _CSV_COLUMN.search(str(error))
    if row is None or "conversion error" not in str(error):
        return unreadable(file, kind_of_file(file), error)
    name = _schema(file).names[int(column[1])] if column else "a column"
    what = str(error).rpartition("conversion error")[2].strip(" \n")
    return fault(
        f"the value of '{name}' does not fit ({what}): its type was decided by the first {TEXT_BLOCK // 2**20} MB of the file. Mend "
        f"the value, or declare the column, columns: {{{name}: number}} or category, or write the table as Parquet, "
        "where columns have types.",
        f"{file}:{row[1]}",
    )
