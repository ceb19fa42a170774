"""Files -> one Arrow table, with a fault in plain words for each file that is none."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, ipc, json, parquet

from polygraft.core.atomic import atomic_file
from polygraft.core.errors import Fault, UserError, fault

READABLE = ".parquet .pq .csv .tsv (also .gz) .jsonl .ndjson .arrow .feather .ipc"
_GLOB = frozenset("*?[")


def find(sources: Sequence[Path | str], folder: Path) -> tuple[list[Path], list[Fault]]:
    """The files that `sources` name, globs expanded in the order of their names, and a fault for each that is not there."""
    found: list[Path] = []
    faults = []
    for source in sources:
        path = folder / source
        if _GLOB & set(str(source)):
            matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
            if not matches:
                faults.append(Fault(str(path), "no file looks like this."))
            found += matches
        elif path.is_dir():
            faults.append(Fault(str(path), f"this is a folder. Name its files, as in '{source}/*.parquet'."))
        elif path.exists():
            found.append(path)
        else:
            faults.append(Fault(str(path), f"there is no such file.{_beside(path)}"))
    return found, faults


def _beside(path: Path) -> str:
    from polygraft.core.errors import nearest

    names = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return nearest(path.name, names)


def read(files: Sequence[Path]) -> pa.Table:
    """The rows of all files, one after another; they must have the same columns. Raises UserError, all faults at once."""
    tables: list[pa.Table] = []
    faults: list[Fault] = []
    for file in files:
        try:
            tables.append(read_file(file))
        except UserError as error:
            faults += error.faults
    for file, table in zip(files, tables, strict=False) if not faults else ():
        extra = sorted(set(table.column_names) ^ set(tables[0].column_names))
        if extra:
            faults.append(Fault(str(file), f"its columns are not those of {files[0].name}: {', '.join(extra[:8])}."))
    if faults:
        raise UserError(faults)
    if len(tables) == 1:
        return tables[0]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise fault(f"the files' columns have different types: {_first_line(error)}", str(files[0].parent)) from error


def read_file(file: Path) -> pa.Table:
    """One file's rows. Raises UserError when it is missing, empty, truncated, not UTF-8, or repeats a column's name."""
    if not file.exists():
        raise fault(f"there is no such file.{_beside(file)}", str(file))
    if file.stat().st_size == 0:
        raise fault("the file is empty: 0 bytes.", str(file))
    kind = kind_of_file(file)
    try:
        table = _READERS[kind](file)
        names = table.column_names  # decoded here
    except KeyError:
        raise fault(f"files of type '{kind}' are not read; these are: {READABLE}.", str(file)) from None
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise unreadable(file, kind, error) from error
    if kind in _TEXT and any(pa.types.is_binary(table.field(i).type) for i in range(len(names))):
        raise unreadable(file, kind, None)
    check_names(table, str(file))
    return table


def kind_of_file(file: Path) -> str:
    """Its suffix, small, without `.gz`."""
    return (file.suffixes[-2] if file.suffix == ".gz" and len(file.suffixes) > 1 else file.suffix).lower()


def check_names(table: pa.Table, where: str, filled: bool = True) -> None:
    """Raise UserError when the table has no columns, a name twice, or no rows. filled: whether it has to have rows."""
    repeated = [f"'{name}' {count} times" for name, count in Counter(table.column_names).items() if count > 1]
    faults = []
    if repeated:
        faults.append(Fault(where, f"column names repeat: {', '.join(repeated)}. Give each column a name of its own."))
    if any(not name.strip() for name in table.column_names):
        faults.append(Fault(where, "a column has no name."))
    if table.num_columns == 0:
        faults.append(Fault(where, "the table has no columns."))
    elif filled and table.num_rows == 0:
        faults.append(Fault(where, "the table has 0 rows."))
    if faults:
        raise UserError(faults)


def write(columns: Mapping[str, Any] | pa.Table, path: Path) -> None:
    """Write columns (arrays of one length) to a Parquet, CSV or Arrow file, atomically; the suffix decides."""
    table = (
        columns
        if isinstance(columns, pa.Table)
        else pa.table({name: _array(column) for name, column in columns.items()})
    )
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".pq", ".csv", ".tsv", ".arrow", ".feather"):
        raise fault(f"files of type '{suffix}' are not written; take .parquet, .csv or .arrow.", str(path))
    with atomic_file(path) as temporary:
        if suffix in (".parquet", ".pq"):
            parquet.write_table(table, temporary)
        elif suffix in (".csv", ".tsv"):
            csv.write_csv(table, temporary, csv.WriteOptions(delimiter="\t" if suffix == ".tsv" else ","))
        else:
            with ipc.new_file(str(temporary), table.schema) as writer:
                writer.write_table(table)


def _array(column: Any) -> pa.Array | pa.ChunkedArray:
    return column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(np.asarray(column))


def _read_parquet(file: Path) -> pa.Table:
    # ParquetFile and not read_table: the latter would make columns out of folders called `year=2013`.
    return parquet.ParquetFile(file).read()


def _read_csv(file: Path) -> pa.Table:
    delimiter = "\t" if ".tsv" in file.suffixes else ","
    options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    return csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=delimiter), convert_options=options)


def _read_arrow(file: Path) -> pa.Table:
    source = pa.memory_map(str(file))
    try:
        return ipc.open_file(source).read_all()
    except pa.ArrowInvalid:
        source.seek(0)
        return ipc.open_stream(source).read_all()


def _read_json_lines(file: Path) -> pa.Table:
    table = json.read_json(file)
    table.validate(full=True)  # the reader takes any bytes for text
    return table


_READERS = {
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".ipc": _read_arrow,
}
_TEXT = (".csv", ".tsv", ".jsonl", ".ndjson")


def unreadable(file: Path, kind: str, error: Exception | None) -> UserError:
    """Why a file could not be read, as far as it can be told."""
    if kind in _TEXT and file.suffix != ".gz" and (place := _not_utf8(file)):
        line, byte = place
        what = f"the text is not UTF-8: byte 0x{byte:02x} in line {line}. Convert it: iconv -f latin1 -t utf-8."
        return fault(what, f"{file}:{line}")
    names = {".parquet": "Parquet", ".pq": "Parquet", ".csv": "CSV", ".tsv": "TSV", ".jsonl": "JSON lines"}
    name = names.get(kind, "JSON lines" if kind == ".ndjson" else "Arrow")
    return fault(f"this is no complete {name} file; is it truncated? {_first_line(error)}", str(file))


def _not_utf8(file: Path) -> tuple[int, int] | None:
    """(line, byte) of the first byte that is not UTF-8; None when all of it is."""
    before = 0
    with file.open("rb") as lines:
        for before, line in enumerate(lines):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return before + 1, line[error.start]
    return None


def _first_line(error: Exception | None) -> str:
    return str(error).partition("\n")[0].strip() if error else ""
