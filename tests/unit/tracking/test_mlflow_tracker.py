"""MLflow gets every point once, goes on with a run, and says so when it is not to be had."""

from __future__ import annotations

import math
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polygraft.core.errors import UserError
from polygraft.tracking import server
from polygraft.tracking.journal import Entry
from polygraft.tracking.mlflow_tracker import RunFacts, open_client, open_run, tracking_uri
from polygraft.tracking.provenance import flat, git_commit, metric_key
from polygraft.tracking.server import require_reachable, shown


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> Path:
    """One database for the module: its tables take 1.6 s to make."""
    return tmp_path_factory.mktemp("runs")


def facts(storage: Path, run_id: str = "flights-1", **more) -> RunFacts:
    return RunFacts(run_id, "flights", storage, **more)


def rows(storage: Path, question: str, *values) -> list[tuple]:
    with sqlite3.connect(storage / "mlflow.db") as database:
        return database.execute(question, values).fetchall()


@pytest.mark.parametrize(
    ("flag", "environment", "suite", "expected"),
    [
        ("http://a", {"MLFLOW_TRACKING_URI": "http://b"}, "http://c", ("http://a", "flag")),
        (None, {"MLFLOW_TRACKING_URI": "http://b"}, "http://c", ("http://b", "environment")),
        (None, {"MLFLOW_TRACKING_URI": ""}, "http://c", ("http://c", "suite")),
        (None, {}, None, ("sqlite:////srv/runs/mlflow.db", "default")),
    ],
)
def test_who_says_where_runs_are_tracked(flag, environment, suite, expected):
    assert tracking_uri(flag, environment, suite, Path("/srv/runs")) == expected


def test_a_database_whose_making_was_cut_off_is_made_again(tmp_path, monkeypatch):
    """Killed before its tables are all there: under its name there is nothing, and the next run is told so by nobody."""
    uri = tracking_uri(None, {}, None, tmp_path)[0]
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", lambda *_: cut_off())
        with pytest.raises(KeyboardInterrupt):
            open_client(uri)
    assert not (tmp_path / "mlflow.db").exists()
    assert [each.name for each in open_client(uri).search_experiments()] == ["Default"]


@pytest.mark.parametrize("error", [FileExistsError, OSError])
def test_a_database_that_another_run_makes_or_that_cannot_be_linked_is_used_all_the_same(tmp_path, monkeypatch, error):
    def link(made, database):
        if error is FileExistsError:
            shutil.copy(made, database)
        raise error

    monkeypatch.setattr(os, "link", link)
    assert [each.name for each in open_client(f"sqlite:///{tmp_path}/mlflow.db").search_experiments()] == ["Default"]
    assert [each.name for each in tmp_path.iterdir()] == ["mlflow.db"]


def cut_off():
    raise KeyboardInterrupt


def test_points_parameters_tags_and_files_arrive(storage, tmp_path, capfd):
    (tmp_path / "suite.yaml").write_text("suite: flights\n")
    settings = {"seed": 7, "train": {"steps": 200, "optimizer": {"lr": 1e-3}}}
    run = open_run(
        tracking_uri(None, {}, None, storage)[0],
        facts(storage, "flights-0", settings=settings, tags={"data.flights": "ab12"}, files=(tmp_path / "suite.yaml",)),
    )
    run.log({"train/late/loss": 0.1 + 0.2, "balance/cosine/late~delay": math.nan}, 50)
    run([Entry(50, {"system/seconds/wall": 2.5}, time=1_795_443_302.5, attempt=1)])
    run.end("FINISHED")
    assert capfd.readouterr() == ("", "")

    (found,) = run.client.search_runs([run.experiment_id], "tags.`polygraft.run_id` = 'flights-0'")
    assert found.info.run_name == "flights-0"
    assert found.info.status == "FINISHED"
    assert found.data.params == {"seed": "7", "train.steps": "200", "train.optimizer.lr": "0.001"}
    assert found.data.tags["data.flights"] == "ab12"
    assert found.data.metrics["train/late/loss"] == 0.1 + 0.2
    assert math.isnan(found.data.metrics["balance/cosine/late-delay"])
    (point,) = run.client.get_metric_history(run.run_id, "train/late/loss")
    assert (point.step, point.timestamp) == (50, found.info.start_time + 50)
    (clock,) = run.client.get_metric_history(run.run_id, "system/seconds/wall")
    assert clock.timestamp == 1_795_443_302_500
    assert (storage / "artifacts" / "flights" / run.run_id / "artifacts" / "suite.yaml").is_file()


def test_a_continued_run_is_the_same_run_and_a_replayed_point_is_stored_once(storage):
    uri = tracking_uri(None, {}, None, storage)[0]
    settings = {f"key{number}": number for number in range(250)}
    first = open_run(uri, facts(storage, settings=settings))
    first([Entry(step, {"train/late/loss": step / 7, "train/delay/loss": -step}) for step in range(1, 1001)])
    first.end("KILLED")

    second = open_run(uri, facts(storage, settings={**settings, "key0": "changed", "later": 1}))
    second([Entry(step, {"train/late/loss": step / 7, "train/delay/loss": -step}) for step in range(901, 1101)])

    assert second.run_id == first.run_id
    assert second.client.get_run(second.run_id).info.status == "RUNNING"
    assert len(second.client.get_run(second.run_id).data.params) == 251
    stored = rows(storage, "select key, step, value from metrics where run_uuid = ? order by key, step", first.run_id)
    assert stored == [("train/delay/loss", step, -step) for step in range(1, 1101)] + [
        ("train/late/loss", step, step / 7) for step in range(1, 1101)
    ]


def test_a_deleted_experiment_is_said_with_the_mend(storage):
    uri = tracking_uri(None, {}, None, storage)[0]
    run = open_run(uri, RunFacts("gone-1", "gone", storage))
    run.client.delete_experiment(run.experiment_id)
    with pytest.raises(UserError) as refused:
        open_run(uri, RunFacts("gone-2", "gone", storage))
    assert str(refused.value) == (
        f"{uri}: the experiment 'gone' was deleted in MLflow; "
        f"`mlflow experiments restore --experiment-id {run.experiment_id}` brings it back."
    )


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "mlflow.db").write_text("nothing of the kind, and long enough to be read as a header" * 100)
    with pytest.raises(UserError, match=r"MLflow cannot be used: .*file is not a database"):
        open_run(f"sqlite:///{tmp_path}/mlflow.db", facts(tmp_path))


def test_a_closed_port_is_refused_at_once_and_without_importing_mlflow():
    """In a process of its own: what a person waits for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys; from pathlib import Path; from polygraft.core.errors import UserError\n"
        "from polygraft.tracking.mlflow_tracker import RunFacts, open_run\n"
        f"try: open_run('http://127.0.0.1:{port}', RunFacts('a', 'a', Path('.')))\n"
        "except UserError as error: print(error, 'mlflow' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    assert answer.stdout == (
        f"http://127.0.0.1:{port}: the MLflow tracking server does not answer (Connection refused). Start it, correct "
        "MLFLOW_TRACKING_URI, or unset it to track in a local file. False\n"
    )


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_port_that_accepts_and_never_answers_is_refused_in_time(scheme):
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        if scheme == "http":
            hole.listen()
        start = time.monotonic()
        with pytest.raises(UserError, match="does not answer"):
            require_reachable(f"{scheme}://user:secret@127.0.0.1:{hole.getsockname()[1]}/db", timeout_s=0.5)
        assert time.monotonic() - start < 10


def test_a_name_that_nobody_knows_is_refused_in_time():
    start = time.monotonic()
    with pytest.raises(UserError, match="does not answer"):
        require_reachable("http://no-such-host.invalid:5000", timeout_s=2)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(("uri", "asks"), [("sqlite:////nowhere/mlflow.db", 0), ("runs", 0), ("http://host:1", 1)])
def test_only_a_server_is_asked(monkeypatch, uri, asks):
    asked: list[float] = []
    monkeypatch.setattr(server, "_within", lambda seconds, ask: asked.append(seconds))
    require_reachable(uri)
    assert len(asked) == asks


def test_passwords_are_not_shown():
    assert shown("postgresql://me:secret@db:5432/x") == "postgresql://me:***@db:5432/x"
    assert shown("sqlite:////srv/mlflow.db") == "sqlite:////srv/mlflow.db"


def test_settings_become_flat_parameters_within_what_mlflow_takes():
    settings = {
        "suite": "flights",
        "train": {"lr": 1e-3, "best": None, "widths": [256, 128], "nothing": {}},
        "terms": [{"name": "l2"}, {"name": "ewc"}],
        "name~with?signs": "x" * 7000,
        "k" * 300: True,
    }
    found = flat(settings)
    assert found["train.lr"] == "0.001"
    assert found["train.best"] == "null"
    assert found["train.widths"] == "[256, 128]"
    assert found["train.nothing"] == "{}"
    assert found["terms.1.name"] == "ewc"
    assert len(found["name-with-signs"]) == 6000
    assert found["k" * 250] == "true"
    assert flat({}) == {}
    assert metric_key("balance/cosine/late~delay") == "balance/cosine/late-delay"


def test_the_commit_of_a_folder(tmp_path):
    assert git_commit(tmp_path) is None

    def git(*arguments: str) -> str:
        made = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(made, capture_output=True, text=True, check=True).stdout.strip()

    git("init")
    (tmp_path / "suite.yaml").write_text("a")
    git("add", ".")
    git("commit", "-m", "one")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "suite.yaml").write_text("b")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD") + "+changes"
