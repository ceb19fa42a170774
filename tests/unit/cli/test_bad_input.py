"""What a person gets wrong, end to end: exit code 2, the place, the mend, every fault at once, and nothing left behind."""

from __future__ import annotations

import json
import socket
import time

import numpy as np
import pandas as pd
import pytest

from polygraft.cli.main import run

SUITE = """\
suite: bad
data:
  rows:
    source: rows.csv
backbone: {name: mlp, widths: [8]}
tasks:
  late: {data: rows, target: late, objective: classification}
  delay: {data: rows, target: delay, objective: regression}
train: {steps: 2, batch_size: 16}
"""
SOURCE = "    source: rows.csv\n"


def table() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    x = chance.normal(size=300)
    kind = chance.choice(list("abc"), 300)
    return pd.DataFrame(
        {"x": x, "kind": kind, "late": x > 0, "delay": 10 * x, "part": ["train"] * 200 + ["test"] * 100}
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


@pytest.fixture
def suite(home, monkeypatch):
    """Writes a suite and its table, and returns the suite's name; MLflow's file is made once for all."""
    monkeypatch.chdir(home)

    def write(text: str = SUITE, rows: pd.DataFrame | None = None) -> str:
        (home / "suite.yaml").write_text(text)
        (table() if rows is None else rows).to_csv(home / "rows.csv", index=False)
        return "suite.yaml"

    return write


def refused(capsys, *arguments: str) -> str:
    """What stderr says of a command that ends with exit code 2, without a traceback."""
    code = run(list(arguments))
    told = capsys.readouterr()
    assert code == 2, told.err
    assert "Traceback" not in told.err
    return told.err


SUITES = {
    "an unknown plugin": (
        SUITE + "balancer: pcgrd\n",
        "suite.yaml:10: balancer.name: no balancer is called 'pcgrd'. Did you mean 'pcgrad'?",
    ),
    "an unknown setting": (SUITE.replace("widths: [8]", "width: [8]"), "suite.yaml:5: backbone.width: "),
    "a missing column": (
        SUITE.replace("target: delay", "target: dely"),
        "suite.yaml:8: tasks.delay.target: the table 'rows' has no column 'dely'. Did you mean 'delay'?",
    ),
    "a target that is a feature": (
        SUITE.replace(SOURCE, SOURCE + "    columns: {late: category}\n"),
        "suite.yaml:5: data.rows.columns.late: 'late' is the target of task 'late', so it is no feature.",
    ),
    "a split without a label": (
        SUITE.replace(SOURCE, SOURCE + "    split: {by: column, column: part, test: absent}\n"),
        "suite.yaml:5: data.rows.split.test: ",
    ),
    "values that do not fit": (
        SUITE.replace(SOURCE, SOURCE + "    columns: {kind: number}\n"),
        "suite.yaml:5: data.rows.columns.kind: 'kind' is declared a number, but ",
    ),
    "a YAML key twice": (SUITE + "suite: again\n", "suite.yaml:10: "),
    "a batch above the rows": (
        SUITE.replace("batch_size: 16", "batch_size: 5000"),
        "suite.yaml:9: train.batch_size: 5,000 is more than the ",
    ),
    "no workers": (SUITE + "workers: 0\n", "suite.yaml:10: workers"),
    "a table that is not there": (SUITE.replace("rows.csv", "row.csv"), "suite.yaml:4: data.rows.source: "),
}


@pytest.mark.parametrize("case", SUITES)
def test_a_suite_that_cannot_run_is_refused_with_its_line(case, suite, capsys, home):
    text, said = SUITES[case]
    assert said in refused(capsys, "train", suite(text), "--run", "refused")
    assert not (home / "runs/bad/refused").exists(), "a run that never began left a folder"


TABLES = {
    "all null": (lambda rows: rows.assign(x=None), "every value of 'x' is null. Drop it: drop: [x]."),
    "infinite": (lambda rows: rows.assign(x=np.inf), "'x'"),
    "a name twice": (lambda rows: rows.rename(columns={"kind": "x"}), "column names repeat: 'x' 2 times."),
    "one class": (lambda rows: rows.assign(late=True), "every label is 'true'; there is nothing to learn."),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_cannot_be_learned_from_is_refused_with_its_column(case, suite, capsys):
    change, said = TABLES[case]
    assert said in refused(capsys, "train", suite(rows=change(table())))


BYTES = {
    "an empty CSV": ("rows.csv", b"", "the file is empty: 0 bytes."),
    "a CSV that is not UTF-8": (
        "rows.csv",
        b"x,late,delay\n1,\xe9,2\n",
        "rows.csv:2: the text is not UTF-8: byte 0xe9 in line 2.",
    ),
    "a truncated Parquet file": ("rows.parquet", b"PAR1\x15\x04", "this is no complete Parquet file; is it truncated?"),
    "an empty Parquet file": ("rows.parquet", b"", "the file is empty: 0 bytes."),
}


@pytest.mark.parametrize("case", BYTES)
def test_a_file_that_cannot_be_read_is_refused_by_name(case, suite, capsys, home):
    name, content, said = BYTES[case]
    path = suite(SUITE.replace("rows.csv", name))
    (home / name).write_bytes(content)
    assert said in refused(capsys, "train", path)


def test_all_faults_are_told_at_once(suite, capsys):
    text = SUITE.replace("widths: [8]", "width: [8]").replace("steps: 2", "stepps: 2") + "balancer: pcgrd\nworkers: 0\n"
    told = refused(capsys, "train", suite(text))
    assert told.splitlines()[-1] == "4 faults; nothing was started."
    told = refused(capsys, "train", suite(rows=table().assign(x=None, late=True)))
    assert told.splitlines()[-1] == "2 faults; nothing was started."


def test_json_says_the_faults_too(suite, capsys):
    assert run(["train", suite(SUITE + "balancer: pcgrd\n"), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    assert told["error"][0]["where"] == "suite.yaml:10"


def test_more_workers_than_cpus_are_refused_at_once(suite, capsys):
    path = suite(SUITE.replace("batch_size: 16", "batch_size: 128, shards: 64"))
    assert "64" in refused(capsys, "train", path, "--workers", "64")


def test_a_run_id_of_another_suite_is_refused_with_the_differing_keys(suite, capsys):
    assert run(["train", suite(), "--run", "mine", "--no-register"]) == 0
    capsys.readouterr()
    assert "train.steps" in refused(capsys, "train", "suite.yaml", "--run", "mine", "--set", "train.steps=3")


def test_a_second_process_on_a_run_is_refused(suite, capsys, home):
    from polygraft.storage.lock import RunLock

    with RunLock(home / "runs/bad/taken"):
        assert "has worked on" in refused(capsys, "train", suite(), "--run", "taken")


@pytest.mark.parametrize("option", ["--tracking", "--address"])
def test_an_address_where_nobody_answers_is_refused_in_time(option, suite, capsys):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
    began = time.monotonic()
    told = refused(capsys, "train", suite(), option, f"http://{place}" if option == "--tracking" else place)
    assert place in told
    assert time.monotonic() - began < 15
