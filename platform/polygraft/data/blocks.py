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
    """Reads parts of files that have one schema. rows: of a block at most. Pickles, so that a task elsewhere may read."""

    schema: pa.Schema
    rows: int

    def blocks(self, part: Part, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """The part's rows in their order, or these columns of them. Raises UserError where the file is broken, or holds other types."""
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        first = 0
        try:
            for batch in _batches(part, self.rows, schema):
                for start in range(0, batch.num_rows, self.rows):
                    table = _as(schema, pa.Table.from_batches([batch.slice(start, self.rows)]), part, first)
                    yield Block(table, first)
                    first += len(table)
        except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
            raise _broken(part.file, schema, error) from error

    def count(self, part: Part) -> int:
        """The part's rows; a text file is read for it."""
        if part.groups is not None:
            metadata = parquet.read_metadata(part.file)
            return sum(metadata.row_group(group).num_rows for group in part.groups)
        return sum(len(block.table) for block in self.blocks(part, self.schema.names[:1]))


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
    if kind in (".csv", ".tsv"):
        return _open_csv(file, None).schema
    if kind in (".jsonl", ".ndjson"):
        return _open_json(file, None).schema
    if kind in (".arrow", ".feather", ".ipc"):
        return _open_arrow(file)[0]
    raise fault(f"files of type '{kind}' are not read; these are: {READABLE}.", str(file))


def _batches(part: Part, rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    kind, names = kind_of_file(part.file), schema.names
    if kind in (".csv", ".tsv"):
        yield from _open_csv(part.file, schema)
    elif kind in (".jsonl", ".ndjson"):
        for batch in _open_json(part.file, schema):
            batch.validate(full=True)  # the reader takes any bytes for text
            yield batch
    elif part.groups is not None:
        # Pages are read as they are needed: a row group may be larger than the memory that is allowed.
        with parquet.ParquetFile(part.file, pre_buffer=False, buffer_size=2**16) as file:
            yield from file.iter_batches(rows, list(part.groups), names, use_threads=False)
    else:
        for batch in _open_arrow(part.file)[1]:
            yield batch.select(names)


def _open_csv(file: Path, schema: pa.Schema | None) -> csv.CSVStreamingReader:
    chosen: dict[str, Any] = {} if schema is None else {"column_types": schema, "include_columns": schema.names}
    return csv.open_csv(
        file,
        csv.ReadOptions(use_threads=False, block_size=TEXT_BLOCK),
        csv.ParseOptions(delimiter="\t" if ".tsv" in file.suffixes else ","),
        csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, **chosen),
    )


def _open_json(file: Path, schema: pa.Schema | None) -> Any:
    how = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer" if schema is None else "ignore")
    return json.open_json(file, json.ReadOptions(use_threads=False, block_size=TEXT_BLOCK), how)


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


def _broken(file: Path, schema: pa.Schema, error: Exception) -> UserError:
    """A value of another type than the first block's is told with its row; all else as by whom reads files whole."""
    row, column = _CSV_ROW.search(str(error)), _CSV_COLUMN.search(str(error))
    if row is None or "conversion error" not in str(error):
        return unreadable(file, kind_of_file(file), error)
    name = f"'{schema.names[int(column[1])]}'" if column and int(column[1]) < len(schema) else "a column"
    what = str(error).rpartition("conversion error")[2].strip(" \n")
    return fault(
        f"the value of {name} does not fit ({what}): its type was decided by the first {TEXT_BLOCK // 2**20} MB of the file. Mend "
        f"the value, or declare the column, columns: {{{name.strip(chr(39))}: number}} or category, or write the table as Parquet, "
        "where columns have types.",
        f"{file}:{row[1]}",
    )
