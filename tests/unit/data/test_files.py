"""Reading: every format gives the same table, and every bad file its own words."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc

from polygraft.core.errors import UserError
from polygraft.data.tables import find, read, read_file, write

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 1.5], "c": ["x", "y", "z"]})


@pytest.fixture
def files(tmp_path: Path) -> Path:
    FRAME.to_parquet(tmp_path / "t.parquet")
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    FRAME.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    with ipc.new_file(str(tmp_path / "t.arrow"), table.schema) as writer:
        writer.write_table(table)
    with ipc.new_stream(str(tmp_path / "t.ipc"), table.schema) as writer:
        writer.write_table(table)
    return tmp_path


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.tsv", "t.csv.gz", "t.jsonl", "t.arrow", "t.ipc"])
def test_every_format_gives_the_same_rows(files: Path, name: str) -> None:
    assert read_file(files / name).to_pydict() == {"a": [1, 2, 3], "b": [0.5, None, 1.5], "c": ["x", "y", "z"]}


def test_files_follow_each_other_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, value in (("b.csv", 2), ("a.csv", 1), ("c.csv", 0.5)):
        (tmp_path / name).write_text(f"x\n{value}\n")
    found, faults = find(["*.csv"], tmp_path)
    assert not faults
    assert read(found).to_pydict() == {"x": [1.0, 2.0, 0.5]}


def test_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1,2\n")
    with pytest.raises(UserError, match=r"b\.csv: its columns are not those of a\.csv: y, z\."):
        read([tmp_path / "a.csv", tmp_path / "b.csv"])


def test_an_empty_text_is_null_and_a_quoted_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\nx,1\n,2\n"",3\nNA,4\n"NA",5\n')
    assert read_file(tmp_path / "t.csv")["a"].to_pylist() == ["x", None, "", None, "NA"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".arrow"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    write({"a": [1, 2], "b": [0.5, 1.5]}, tmp_path / f"out{suffix}")
    assert read_file(tmp_path / f"out{suffix}").to_pydict() == {"a": [1, 2], "b": [0.5, 1.5]}
    assert len(list(tmp_path.iterdir())) == 1


def words(file: Path) -> str:
    with pytest.raises(UserError) as error:
        read_file(file)
    return str(error.value).replace(str(file.parent) + "/", "")


def test_a_file_that_is_not_there_is_named_with_the_nearest(files: Path) -> None:
    assert words(files / "t.parqet") == "t.parqet: there is no such file. Did you mean 't.parquet'?"
    _, faults = find(["u.csv", "q*.csv", "."], files)
    assert [fault.what for fault in faults] == [
        "there is no such file. Did you mean 't.csv'?",
        "no file looks like this.",
        "this is a folder. Name its files, as in './*.parquet'.",
    ]


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.csv.gz"])
def test_a_truncated_file_is_called_so(files: Path, name: str) -> None:
    content = (files / name).read_bytes()
    (files / name).write_bytes(content[: len(content) // 2])
    kinds = {"t.parquet": "Parquet", "t.arrow": "Arrow", "t.csv.gz": "CSV"}
    assert words(files / name).startswith(f"{name}: this is no complete {kinds[name]} file; is it truncated?")


def test_a_csv_that_ends_within_a_row_is_called_truncated(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\n4,5")
    assert words(tmp_path / "t.csv") == (
        "t.csv: this is no complete CSV file; is it truncated? CSV parse error: Expected 3 columns, got 2: 4,5"
    )


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.arrow"])
def test_an_empty_file_is_called_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert words(tmp_path / name) == f"{name}: the file is empty: 0 bytes."


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    assert words(tmp_path / "t.csv") == "t.csv: the table has 0 rows."


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_text_that_is_not_utf8_is_named_by_line_and_byte(tmp_path: Path, name: str) -> None:
    lines = {"t.csv": "city\nBern\nZürich\n", "t.jsonl": '{"city": "Bern"}\n\n{"city": "Zürich"}\n'}[name]
    (tmp_path / name).write_bytes(lines.encode("latin1"))
    wanted = "the text is not UTF-8: byte 0xfc in line 3. Convert it: iconv -f latin1 -t utf-8."
    assert words(tmp_path / name) == f"{name}:3: {wanted}"


def test_names_that_are_not_utf8_are_found_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("größe\n1\n".encode("latin1"))
    assert words(tmp_path / "t.csv").startswith("t.csv:1: the text is not UTF-8: byte 0xf6 in line 1.")


def test_repeated_column_names_are_listed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,a,b,a,c\n1,2,3,4,5,6\n")
    wanted = "t.csv: column names repeat: 'a' 3 times, 'b' 2 times. Give each column a name of its own."
    assert words(tmp_path / "t.csv") == wanted


def test_another_type_of_file_is_refused_with_those_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("x")
    assert words(tmp_path / "t.xlsx").startswith("t.xlsx: files of type '.xlsx' are not read; these are: .parquet")


def test_all_bad_files_are_named_at_once(files: Path) -> None:
    (files / "t.csv").write_text("")
    (files / "t.parquet").write_text("no")
    with pytest.raises(UserError) as error:
        read([files / "t.csv", files / "t.parquet", files / "t.tsv"])
    assert len(error.value.faults) == 2
