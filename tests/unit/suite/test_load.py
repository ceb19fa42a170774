"""Loading: defaults are written in once, `--set` is laid over, and what is written is read back as the same."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from polygraft.core.errors import UserError
from polygraft.suite.identity import as_yaml, differing, digest
from polygraft.suite.load import load, read
from polygraft.suite.mentions import mentions
from polygraft.suite.origin import Origin
from polygraft.suite.schema import Suite, resolved

LEAST = {
    "suite": "least",
    "data": {"t": {"source": "a.csv"}},
    "tasks": {"a": {"data": "t", "target": "y", "objective": "regression"}},
    "train": {"steps": 9},
}


def least(**sections: Any) -> Suite:
    return read({**LEAST, **sections}, Origin())


def test_defaults_are_written_in(write, good: str) -> None:
    content = resolved(load(write(good)))
    assert content["balancer"] == {
        "name": "toy",
        "c": 0.3,
        "power": 2,
        "gradients": "auto",
        "rank": 16,
        "agreement_every": 50,
        "every": 1,
    }
    assert content["backbone"]["name"] == "mlp"
    assert content["sharing"] == {"name": "hard"}
    assert content["data"]["flights"]["clean"][1]["method"] == "quantile"
    assert content["train"]["optimizer"] == {
        "name": "adamw",
        "lr": 0.001,
        "weight_decay": 0.01,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
    }
    assert content["train"]["shards"] == 2
    assert content["workers"]["count"] == 1
    assert json.loads(json.dumps(content)) == content


@pytest.mark.parametrize(
    ("workers", "shards", "counts"),
    [(1, 2, (1, 1)), (4, 4, (4, 4)), ({"min": 2, "max": 3}, 3, (2, 3)), ({"threads": 2}, 2, (1, 1))],
)
def test_shards_are_as_many_as_the_most_workers(workers: Any, shards: int, counts: tuple[int, int]) -> None:
    suite = least(workers=workers)
    assert suite.train.shards == shards
    assert (suite.workers.least, suite.workers.most) == counts
    assert least(workers=workers, train={"steps": 9, "shards": 8}).train.shards == 8


def test_a_text_stands_for_a_name() -> None:
    assert least(balancer="equal") == least(balancer={"name": "equal"}) == least()
    assert least(train={"steps": 9, "optimizer": "sgd"}).train.optimizer.name == "sgd"
    assert least(train={"steps": 9, "optimizer": {"lr": 1}}).train.optimizer.lr == 1.0


def test_a_number_has_one_form_in_a_suite_s_digest() -> None:
    def table(test: float) -> dict[str, Any]:
        return {"t": {"source": "a.csv", "split": {"test": test}}}

    assert digest(least(data=table(0))) == digest(least(data=table(0.0))) != digest(least(data=table(0.1)))


def test_the_balancer_s_section_keeps_its_own_keys_apart_from_the_method_s() -> None:
    said = {"name": "pcgrad", "gradients": "parameters", "rank": "full", "agreement_every": 0}
    balancer = least(balancer=said).balancer
    assert (balancer.gradients, balancer.rank, balancer.agreement_every) == ("parameters", "full", 0)
    assert balancer.settings == {}


def test_a_suite_is_frozen() -> None:
    with pytest.raises(ValidationError):
        least().seed = 3  # type: ignore[misc]


def test_a_suite_knows_where_it_was_read(write, good: str) -> None:
    suite = load(write(good), {"seed": 8})
    assert suite.file == "suite.yaml"
    assert suite.folder == Path()
    assert suite.where("data.flights.columns.month") == "suite.yaml:6"
    assert suite.where("data.flights.columns.day") == "suite.yaml:6"
    assert suite.where("data.flights.source") == "suite.yaml:5"
    assert suite.where("workers.count") == "suite.yaml"
    assert suite.where("seed") == "--set seed=8"
    assert suite.located("s3://bucket/x") == "s3://bucket/x"
    assert suite.located("/x/y") == "/x/y"


def test_paths_are_relative_to_the_suite_s_folder(tmp_path: Path, write, good: str) -> None:
    write(good)
    assert load(tmp_path).located("data/a.csv") == str(tmp_path / "data/a.csv")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "suite.yaml").write_text(as_yaml(load(tmp_path)))
    copy = load(tmp_path / "run" / "suite.yaml", folder=tmp_path)  # where the plugin beside the suite is found, too
    assert copy.located("a.csv") == str(tmp_path / "a.csv")
    assert copy == load(tmp_path)


def test_where_it_was_read_is_no_part_of_a_suite(write, good: str, tmp_path: Path) -> None:
    here = load(write(good))
    there = load(tmp_path / "suite.yaml")
    assert here == there
    assert hash(here) == hash(there)
    assert digest(here) == digest(there)
    crossed = pickle.loads(pickle.dumps(there))
    assert crossed == there
    assert crossed.where("seed") == there.where("seed")


def test_another_suite_differs_by_its_keys() -> None:
    a = least()
    b = least(
        seed=3,
        train={"steps": 9, "optimizer": "sgd"},
        tasks={**LEAST["tasks"], "b": {"data": "t", "target": "y", "objective": "regression"}},
    )
    assert a != b
    assert digest(a) != digest(b)
    told = differing(a, b)
    assert told[:1] == ["seed"]
    assert {"train.optimizer.name", "train.optimizer.betas", "train.optimizer.momentum", "tasks.b.target"} <= set(told)
    assert not [path for path in told if path.startswith(("data", "tasks.a", "workers"))]


def test_who_shares_the_work_is_no_part_of_a_run_s_identity() -> None:
    train = {"steps": 9, "shards": 4}
    a = least(train=train)
    b = least(
        train=train, workers=4, storage="elsewhere", tracking={"uri": "http://x"}, search={"seed": {"choice": [1]}}
    )
    assert a != b
    assert differing(a, b) == []
    assert digest(a) == digest(b)
    assert differing(a, least(train=train, workers={"threads": 2})) == ["workers.threads"]


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ("seed=3", "seed", 3),
        ("train.optimizer.lr=1e-2", "train.optimizer.lr", 0.01),
        ("train.optimizer=sgd", "train.optimizer.name", "sgd"),
        ("train.schedule.warmup=5", "train.schedule.name", "constant"),
        ("balancer.c=2", "balancer.c", 2.0),
        ("backbone.widths=[8]", "backbone.widths", [8]),
        ("backbone.widths=[8]", "backbone.name", "mlp"),
        ("data.flights.drop=[]", "data.flights.drop", []),
        ("data.flights.drop.0=x", "data.flights.drop", ["x"]),
        ("data.flights.clean.1.method=mad", "data.flights.clean.1.method", "mad"),
        ("data.flights.clean.outliers.method=mad", "data.flights.clean.1.method", "mad"),
        ("data.flights.clean.missing.fill=mean", "data.flights.clean.0.fill", "mean"),
        ("data.flights.weight=", "data.flights.weight", None),
        ("workers.count=3", "train.shards", 3),
        ("workers=3", "workers.count", 3),
        ("storage=s3://a=b", "storage", "s3://a=b"),
        ("tasks.more={data: flights, target: y, objective: regression}", "tasks.more.data", "flights"),
    ],
)
def test_set_lays_a_value_over(write, good: str, given: str, path: str, value: object) -> None:
    at: Any = resolved(load(write(good), [given]))
    for step in path.split("."):
        at = at[int(step)] if isinstance(at, list) else at[step]
    assert at == value


def test_set_opens_up_what_stands_there_in_short(write, good: str) -> None:
    text = good.replace("balancer: {name: toy, c: 0.3}", "balancer: toy\nworkers: 1")
    suite = load(write(text), ["balancer.c=2", "workers.threads=2"])
    assert (suite.balancer.name, suite.balancer.settings["c"]) == ("toy", 2.0)
    assert (suite.workers.count, suite.workers.threads) == (1, 2)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (
            ["trian.steps=3"],
            "--set trian.steps=3: trian: there is no such key. Did you mean 'train'? There are suite, seed,",
        ),
        (["train.epoch=3"], "--set train.epoch=3: train.epoch: there is no such key. Did you mean 'epochs'?"),
        (
            ["balancer.cc=3"],
            "--set balancer.cc=3: balancer.cc: 'toy' has no setting 'cc'. Did you mean 'c'? It has c, power.",
        ),
        (["seed"], "--set seed: takes KEY=VALUE, for example train.steps=200."),
        (["=3"], "--set =3: takes KEY=VALUE, for example train.steps=200."),
        (["seed=[1"], "--set seed=[1: expected ',' or ']', but got '<stream end>'."),
        (
            ["data.flights.drop.3=x"],
            "--set data.flights.drop.3=x: data.flights.drop: the list has no item '3'. It has 0 to 0: tail.",
        ),
        (
            ["data.flights.clean.outlier.low=0"],
            "--set data.flights.clean.outlier.low=0: data.flights.clean: the list has no item 'outlier'. Did you mean 'outliers'?",
        ),
        ({"train.steps": 0}, "--set train.steps=0: train.steps: takes a number of at least 1, not 0."),
    ],
)
def test_a_set_that_fits_nowhere_is_refused(write, good: str, given: Any, fault: str) -> None:
    with pytest.raises(UserError) as error:
        load(write(good), given)
    (told,) = str(error.value).splitlines()
    assert told.startswith(fault)


def test_mentions_are_found_by_the_schema() -> None:
    suite = least(data={"t": {"source": "a", "encode": {"x": "vocabulary"}, "clean": ["missing"], "stem": "columns"}})
    assert [(path, room, each.name) for path, room, each in mentions(suite)] == [
        ("data.t.clean.0", "data/cleaning", "missing"),
        ("data.t.encode.x", "data/encoders", "vocabulary"),
        ("data.t.stem", "models/stems", "columns"),
        ("data.t.sampling", "data/samplers", "uniform"),
        ("backbone", "models/trunks", "mlp"),
        ("sharing", "models/sharing", "hard"),
        ("balancer", "balancing", "equal"),
        ("tasks.a.objective", "objectives", "regression"),
        ("train.mixture", "data/mixing", "all"),
        ("train.step", "training/steps", "joint"),
    ]
