"""From a suite to an experiment that learns: precision, clipping, every balancer, several tables, goals."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch

from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.suite.load import load
from required_settings import REQUIRED

SUITE = """
suite: small
seed: 3
data:
  left: {source: left.csv}
backbone: {name: mlp, widths: [16, 8]}
tasks:
  late: {data: left, target: late, objective: classification}
  delay: {data: left, target: delay, objective: regression}
  kind: {data: left, target: kind, objective: classification}
train: {steps: 40, batch_size: 64, optimizer: {name: adamw, lr: 1e-2}}
"""


def rows(seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    table = pd.DataFrame(chance.normal(size=(400, 3)), columns=list("xyz"))
    table["late"] = np.where(chance.random(400) < 0.2, None, (table.x > 0).astype(object))
    table["delay"] = np.where(chance.random(400) < 0.3, np.nan, 10 * table.x + table.y)
    table["kind"] = np.array(list("abc"))[(table.z + 1.5).clip(0, 2).astype(int)]
    return table


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("experiments")
    for seed, name in enumerate(("left", "right")):
        rows(seed).to_csv(home / f"{name}.csv", index=False)
    return home


@pytest.fixture
def begun(home):
    """Builds an experiment of the suite with some values changed."""

    def begin(*overrides: str, text: str = SUITE):
        (home / "suite.yaml").write_text(text)
        suite = load(home / "suite.yaml", set=overrides)
        made = experiment(suite, prepare_tables(suite, home / "cache"))
        return made, made.state(None)

    return begin


def learn(made, state, steps):
    """The tasks' losses, step by step."""
    return [dict(made.step.update(state, made.stream).losses) for _ in range(steps)]


@pytest.mark.parametrize("name", catalogue("balancing").names())
def test_every_balancer_lowers_the_losses_of_all_tasks(begun, name):
    made, state = begun(f"balancer={json.dumps({'name': name, **REQUIRED.get(name, {})})}")
    told = learn(made, state, 40)
    for task in ("late", "delay", "kind"):
        first, last = (np.mean([losses[task] for losses in part]) for part in (told[:5], told[-5:]))
        assert last < first, task
    assert state.step == 40


def test_bf16_keeps_weights_and_losses_in_float32_and_learns(begun):
    made, state = begun("train.precision=bf16")
    told = learn(made, state, 40)
    assert {value.dtype for value in made.learner.network.parameters()} == {torch.float32}
    assert told[-1]["delay"] < told[0]["delay"]
    exact = learn(*begun(), 1)[0]
    assert told[0]["delay"] == pytest.approx(exact["delay"], rel=0.02)
    assert told[0]["delay"] != exact["delay"], "autocast did nothing"


def test_clipping_bounds_the_gradient_that_is_followed(begun):
    overrides = ("train.optimizer={name: sgd, lr: 1.0, momentum: 0.0}", "train.clip=0.001")
    made, state = begun(*overrides)
    before = torch.cat([value.detach().flatten().clone() for value in made.learner.parameters()])
    learn(made, state, 1)
    after = torch.cat([value.detach().flatten() for value in made.learner.parameters()])
    assert (after - before).norm() == pytest.approx(0.001, rel=1e-3)


def test_a_task_weight_scales_its_part_of_the_sum(begun):
    losses = [learn(*begun(f"tasks.delay.weight={weight}"), 1)[0] for weight in (1.0, 3.0)]
    assert losses[1]["delay"] == pytest.approx(3 * losses[0]["delay"])
    assert losses[1]["late"] == losses[0]["late"]


TWO = SUITE.replace(
    "  left: {source: left.csv}",
    "  left: {source: left.csv, drop: [kind], STEM}\n  right: {source: right.csv, drop: [late, delay], STEM}",
)
TWO = TWO.replace("kind: {data: left", "kind: {data: right").replace("STEM", "stem: {name: columns, width: 8}")


@pytest.mark.parametrize("name", ["equal", "pcgrad", "mgda", "db_mtl"])
def test_two_tables_share_one_trunk(begun, name):
    made, state = begun(f"balancer={name}", text=TWO)
    told = learn(made, state, 40)
    assert set(made.learner.network.stems) == {"left", "right"}
    for task in ("late", "delay", "kind"):
        first, last = (np.mean([losses[task] for losses in part]) for part in (told[:5], told[-5:]))
        assert last < first, task


def test_tables_of_several_widths_that_share_a_trunk_are_refused_with_the_mend(begun):
    text = TWO.replace("drop: [late, delay], stem: {name: columns, width: 8}", "drop: [late, delay]")
    with pytest.raises(UserError, match=r"one trunk reads all tables, but they offer .* Give each `stem"):
        begun(text=text)


def test_a_name_that_torch_keeps_is_refused_with_its_line(begun, home):
    with pytest.raises(UserError) as caught:
        begun(text=SUITE.replace("  late:", "  train:"))
    assert "tasks.train: 'train' is a word that torch keeps for its modules." in str(caught.value)


def test_a_goal_is_a_metric_of_its_task(begun):
    assert begun("train.best=late/log_loss")[0].goal.sign == -1
    assert begun("train.best=delay/r2")[0].goal.sign == 1
    assert begun()[0].goal.name == "improvement"
    with pytest.raises(UserError, match="late/acc"):
        begun("train.best=late/acc")


def test_epochs_are_turned_into_steps(begun):
    made, _ = begun("train.steps=null", "train.epochs=2")
    assert made.cadence.steps == 2 * made.stream.epoch_steps("left")


def test_fresh_weights_are_a_function_of_the_seed(begun):
    one, two, other = (begun(f"seed={seed}")[0].learner.state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", catalogue("models/sharing").names())
@pytest.mark.parametrize("balancer", ["equal", "pcgrad"])
def test_every_way_of_sharing_lowers_the_losses_of_all_tasks(begun, name, balancer):
    made, state = begun(f"sharing={name}", f"balancer={balancer}")
    told = learn(made, state, 25)
    for task in ("late", "delay", "kind"):
        first, last = (np.mean([losses[task] for losses in part]) for part in (told[:5], told[-5:]))
        assert last < first, task


def test_a_temperature_is_the_steps_and_goes_on_after_a_checkpoint(begun):
    """Branches are drawn and cooled by the step: a run that goes on has the same bits."""
    made, state = begun("sharing={name: ltb, start: 4.0, end: 0.5}")
    learn(made, state, 5)
    kept = copy.deepcopy(state.snapshot())  # a store would write it
    straight = learn(made, state, 5)
    assert made.learner.network.sharing.temperature == pytest.approx(4.0 * (0.5 / 4.0) ** (9 / 40))
    again, fresh = begun("sharing={name: ltb, start: 4.0, end: 0.5}")
    fresh.load(kept)
    assert learn(again, fresh, 5) == straight


def test_a_way_of_sharing_that_the_trunk_does_not_allow_is_refused_at_its_line(begun):
    text = SUITE.replace("tasks:", "sharing: {name: ple, levels: 3}\ntasks:")
    with pytest.raises(UserError) as caught:
        begun(text=text)
    assert str(caught.value).endswith(
        "suite.yaml:7: sharing: levels: 3 of at least one stage each, but the trunk has 2 stages. Take levels: 2, or give it more."
    )
    with pytest.raises(UserError, match=r"suite.yaml:6: backbone: widths: an MLP needs at least one layer"):
        begun(text=SUITE.replace("widths: [16, 8]", "widths: []"))


def test_experts_have_a_cut_but_no_last_layer(begun):
    modes = {
        name: begun("sharing=mmoe", f"balancer={name}")[0].gradients.mode
        for name in ("equal", "pcgrad", "mgda", "graddrop")
    }
    assert modes == {"equal": "losses", "pcgrad": "parameters", "mgda": "features", "graddrop": "features"}
    with pytest.raises(
        UserError,
        match=r"--set balancer.*: balancer: gradients: last_layer needs .*no last shared layer. Take parameters.",
    ):
        begun("sharing=mmoe", "balancer={name: pcgrad, gradients: last_layer}")
