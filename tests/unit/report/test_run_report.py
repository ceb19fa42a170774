"""The report is one page that stands alone, says everything the run knows, and can be read by ear."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from polygraft.core.errors import UserError
from polygraft.report.run_report import write_report
from polygraft.tracking.journal import Journal

SUITE = """suite: flights
seed: 7
data: {flights: {source: 'recipe.py:flights'}}
backbone: {name: mlp, widths: [256, 128]}
balancer: {name: cagrad, c: 0.4}
tasks:
  late: {data: flights, target: arr_late, objective: classification, weight: 1}
  delay: {data: flights, target: "<b>arr_delay</b>", objective: {name: regression, loss: mse}}
"""


@pytest.fixture
def run(tmp_path) -> Path:
    """A run's folder as training leaves it."""
    folder = tmp_path / "flights-20261123-141502-3f9a"
    journal = Journal(folder / "metrics.jsonl", attempt=2)
    for step in range(50, 2001, 50):
        journal.log(
            {
                "train/late/loss": 0.7 - step / 10_000,
                "train/delay/loss": math.nan if step == 100 else 1 / step,
                "balance/weight/late": 1.0,
                "balance/weight/delay": 0.5,
                "balance/norm/late": 2.0,
                "balance/cosine/late~delay": -0.25,
                "balance/conflict_rate": 0.5,
                "balance/agreement/correlation": 0.875,
                "system/seconds/batches": 0.5,
                "system/seconds/trunk": 1.5,
                "system/seconds/wall": 2.5,
                "system/samples_per_second": 12_345.0,
            },
            step,
        )
        journal.log({"validation/late/loss": 0.8 - step / 10_000, "validation/late/auc": 0.5 + step / 10_000}, step)
    (folder / "suite.yaml").write_text(SUITE)
    result = {
        "run_id": folder.name,
        "status": "finished",
        "step": 2000,
        "metrics": {"late/auc": 0.7654321, "delay/r2": 0.2},
        "validation": {"late/auc": 0.75},
        "model_uri": "models:/<i>flights/1",
    }
    (folder / "result.json").write_text(json.dumps(result))
    return folder


class Page(HTMLParser):
    """Checks that every element is closed in order and keeps what they hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words += data + "\n"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_stands_alone_and_is_small(run):
    path = write_report(run)
    text = path.read_text()
    assert path == run / "report.html"
    assert len(text) < 300_000
    assert not re.search(r"https?://|src=|@import|url\(|<script", text)
    page = Page(text)
    assert page.all("html")[0]["lang"] == "en"
    assert "prefers-color-scheme: dark" in text


def test_it_can_be_read_by_ear(run):
    page = Page(write_report(run).read_text())
    assert page.all("svg")
    for attributes in page.all("svg"):
        assert attributes["role"] == "img"
        assert attributes["aria-label"]
    assert page.all("th")
    assert {attributes["scope"] for attributes in page.all("th")} == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table"))
    spoken = {attributes["aria-label"] for attributes in page.all("svg")}
    assert "late: loss: train from 0.695 at 50 to 0.5 at 2000; validation from 0.795 at 50 to 0.6 at 2000" in spoken
    assert "Cosines between the tasks' gradients, mean over training: late and delay -0.25" in spoken
    assert "Seconds by part: trunk 60 s; batches 20 s; the rest 20 s" in spoken


def test_it_says_what_the_run_knows(run):
    words = Page(write_report(run).read_text()).words
    for said in (
        "flights-20261123-141502-3f9a",
        "finished at step 2,000",
        "0.7654",
        "cagrad (c 0.4)",
        "regression (loss mse)",
        "models:/<i>flights/1",
        "<b>arr_delay</b>",
        "Weights of the tasks",
        "Agreement of the cheap Gramian with the true one",
        "100 s in all",
    ):
        assert said in words, said


def test_a_run_that_is_not_finished_has_a_report_of_what_there_is(run):
    (run / "result.json").unlink()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2050, "val')
    words = Page(write_report(run).read_text()).words
    assert "unfinished at step 2,000" in words
    assert "0.7" in words


def test_a_run_that_has_just_begun_has_one_too(tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE)
    page = Page(write_report(tmp_path).read_text())
    assert "unfinished at step 0" in page.words
    assert not page.all("svg")


def test_many_tasks_show_the_pairs_that_conflict_most(run):
    journal = Journal(run / "metrics.jsonl")
    names = [f"task{number}" for number in range(10)]
    journal.log({f"balance/cosine/{a}~{b}": i / 100 for i, a in enumerate(names) for b in names[i + 1 :]}, 2050)
    text = write_report(run).read_text()
    assert "Cosines over time, the 8 lowest of 46" in Page(text).words
    assert len(re.findall(r"<li><i class=.c\d.></i>\w+ and \w+</li>", text)) == 8
    assert "task0 and task9</li>" not in text
    assert "late and delay</li>" in text


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(UserError) as refused:
        write_report(tmp_path)
    assert str(refused.value) == f"{tmp_path}: this folder holds no run: it has no suite.yaml."


def test_a_mixtures_shares_are_drawn_where_there_are_some(run):
    title = "Share of the steps so far that took each table"
    assert title not in write_report(run).read_text()
    journal = Journal(run / "metrics.jsonl", attempt=3)
    for step in (2050, 2100):
        journal.log({"mixture/flights/share": 0.75, "mixture/weather/share": 0.25, "mixture/weather/drawn": 9}, step)
    assert title in write_report(run).read_text()
