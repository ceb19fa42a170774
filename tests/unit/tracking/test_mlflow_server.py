"""Against a real MLflow server over HTTP: the same as in a database, and a server that goes away does not stop a run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from polygraft.core.errors import UserError
from polygraft.tracking.follower import Follower
from polygraft.tracking.journal import Entry, Journal
from polygraft.tracking.mlflow_tracker import RunFacts, open_run
from polygraft.tracking.model_registry import ModelRegistry
from polygraft.tracking.model_upload import log_model

pytestmark = pytest.mark.real


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """A server with its database and artifacts in `folder`."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    quiet = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet, cwd=folder, start_new_session=True
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_run_and_its_model_on_a_server_that_dies_on_the_way(tmp_path, port, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    facts = RunFacts("flights-1", "flights", tmp_path, settings={"seed": 7})
    (tmp_path / "server").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "suite.yaml").write_text("suite: flights\n")
    journal = Journal(tmp_path / "run" / "metrics.jsonl")

    with server(tmp_path / "server", port) as uri:
        run = open_run(uri, facts)
        follower = Follower(tmp_path / "run" / "metrics.jsonl", [run], every_s=0.1, give_up_s=30)
        follower.start()
        journal.log({"train/late/loss": 0.5}, 1)
        time.sleep(1)

    journal.log({"train/late/loss": 0.4}, 2)
    time.sleep(1)
    with pytest.raises(UserError, match="does not answer"):
        open_run(uri, facts)

    with server(tmp_path / "server", port) as uri:
        journal.log({"train/late/loss": 0.3}, 3)
        follower.stop()
        run([Entry(2, {"train/late/loss": 0.4})])  # once more: stored once
        points = run.client.get_metric_history(run.run_id, "train/late/loss")
        assert [(point.step, point.value) for point in points] == [(1, 0.5), (2, 0.4), (3, 0.3)]
        assert open_run(uri, facts).run_id == run.run_id

        example, predictions = pd.DataFrame({"x": [1.0]}), pd.DataFrame({"late": [0.5]})
        registry = ModelRegistry(uri)
        made = registry.register("flights", log_model(run, tmp_path / "model", example, predictions), run)
        assert (made.number, made.aliases) == (1, ("champion",))
        for operand in ("flights", "models:/flights/1", f"runs:/{run.run_id}/model"):
            assert (registry.resolve(operand) / "suite.yaml").read_text() == "suite: flights\n"
    assert sum("the run goes on" in message for message in caplog.messages) == 1
