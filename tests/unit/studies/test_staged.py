"""Frozen features: what fits them, what they cost, and that nothing of them learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

import toy_suite
from polygraft.assembly.tables import prepare_tables
from polygraft.core.batch import Inputs
from polygraft.core.errors import UserError
from polygraft.data.preparation import Prepared
from polygraft.studies.arms import STAGED, Arm, Trial
from polygraft.studies.autoencoder import Autoencoder, reconstruction
from polygraft.studies.cost import Forecast, Probe
from polygraft.studies.encoder import Frozen
from polygraft.studies.pca import PCA
from polygraft.studies.staged import require_vectors
from polygraft.suite.schema import Suite


class Heard:
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, dict[str, float]]] = []

    def log(self, values: dict[str, float], step: int) -> None:
        self.told.append((step, dict(values)))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Suite, Prepared]:
    folder = tmp_path_factory.mktemp("staged")
    toy_suite.write_table(folder)
    suite = toy_suite.toy(folder, train={"steps": 60, "log_every": 20})
    return suite, prepare_tables(suite, folder / "cache")["toy"]


def some(table: Prepared) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(each[:50])) for name, each in table.matrices.items() if each.shape[1]}


def test_what_is_lost_is_a_mean_over_columns_of_squares_and_cross_entropies() -> None:
    chance = torch.Generator().manual_seed(0)
    inputs = {
        "numbers": torch.randn(7, 2, generator=chance),
        "categories": torch.tensor([[i % 3, i % 4] for i in range(7)]),
    }
    outputs = torch.randn(7, 2 + 3 + 4, generator=chance)
    squares = ((outputs[:, :2] - inputs["numbers"]) ** 2 / 2).mean(0).sum()
    levels = cross_entropy(outputs[:, 2:5], inputs["categories"][:, 0]) + cross_entropy(
        outputs[:, 5:], inputs["categories"][:, 1]
    )
    torch.testing.assert_close(reconstruction(inputs, outputs, Inputs(2, (3, 4))), (squares + levels) / 4)


@pytest.mark.parametrize("kind", [PCA, Autoencoder])
def test_an_encoder_is_a_function_of_rows_and_suite_and_comes_back_whole(prepared, kind: type) -> None:
    suite, table = prepared
    one, other = (kind.fitted(suite, table, Heard()) for _ in range(2))
    codes = one.eval()(some(table))
    assert codes.shape == (50, one.width)
    assert torch.equal(codes, other.eval()(some(table)))
    assert torch.equal(codes, kind.restored(suite, table, one.state_dict()).eval()(some(table)))
    another = kind.fitted(suite.model_copy(update={"seed": 8}), table, Heard())
    assert kind is PCA or not torch.equal(codes, another.eval()(some(table)))


def test_an_autoencoder_learns_for_the_suites_steps_and_tells_how_it_gets_on(prepared) -> None:
    suite, table = prepared
    heard = Heard()
    assert Autoencoder.fitted(suite, table, heard).steps == 60
    steps, lost = zip(*((step, values["train/toy/reconstruction"]) for step, values in heard.told), strict=True)
    assert steps == (20, 40, 60)
    assert lost[-1] < lost[0]


def test_frozen_features_do_not_learn_and_nothing_is_drawn_in_training(prepared) -> None:
    suite, table = prepared
    stem = Frozen(Autoencoder.fitted(suite, table, Heard())).train()
    first, second = (stem(some(table)).vector for _ in range(2))
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert not any(parameter.requires_grad for parameter in stem.parameters())


def test_features_of_more_than_numbers_and_categories_are_refused(prepared, tmp_path: Path) -> None:
    suite, table = prepared
    require_vectors(suite, {"toy": table})
    chance = np.random.default_rng(0)
    frame = {"a": [chance.normal(size=3).tolist() for _ in range(300)], "late": [i % 2 for i in range(300)]}
    pd.DataFrame({**frame, "delay": chance.normal(size=300)}).to_parquet(tmp_path / "t.parquet")
    other = toy_suite.toy(tmp_path, data={"toy": {"source": "t.parquet"}})
    with pytest.raises(UserError, match="frozen features are made of numbers and categories, and there is series/a"):
        require_vectors(other, prepare_tables(other, tmp_path / "cache"))


def test_a_forecast_learns_from_the_runs_that_are_finished(prepared) -> None:
    suite, _ = prepared
    slow, quick = Arm("joint", "nash_mtl", "ple"), Arm("joint", "equal", "hard")
    forecast = Forecast({slow: Probe(1.0, 0.0, 98, 1), quick: Probe(0.1, 0.0, 80, 1)})  # 100 and 10 seconds
    tasks = tuple(suite.tasks)
    seeds = [suite.model_copy(update={"seed": seed}) for seed in (7, 8)]
    trials = [
        Trial(arm, each.seed, each.model_copy(update={"suite": arm.sharing}), tasks)
        for arm in (slow, quick)
        for each in seeds
    ]
    assert forecast.seconds(trials, {}) == pytest.approx(220)
    done = {trials[2].run: {"status": "finished", "took": 30.0}}  # three times as long as was expected
    assert forecast.seconds(trials, done) == pytest.approx(300 + 300 + 30)
    done[trials[0].run] = {"status": "finished", "took": 150.0}
    assert forecast.seconds(trials, done) == pytest.approx(150 + 30)
    static = Trial(Arm("static", "static", "ple"), 7, suite, tasks, dict.fromkeys(tasks, 1.0))
    staged = Trial(STAGED["pca"], 7, suite, (tasks[0],), after="f")
    assert (forecast.seconds([static], {}), forecast.seconds([staged], {})) == (pytest.approx(100), pytest.approx(10))
