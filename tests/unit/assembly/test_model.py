"""A model: raw rows in, named columns out; the same after it was saved and loaded, in whatever chunks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from polygraft.assembly.learners import learner
from polygraft.assembly.model import Model, load_model
from polygraft.assembly.pyfunc import _load_pyfunc
from polygraft.assembly.scoring import evaluate
from polygraft.assembly.tables import prepare_tables
from polygraft.core.errors import UserError
from polygraft.suite.load import load

SUITE = """
suite: small
data: {rows: {source: rows.csv}}
backbone: {name: mlp, widths: [8]}
tasks:
  late: {data: rows, target: late, objective: classification}
  delay: {data: rows, target: delay, objective: regression}
train: {steps: 1, batch_size: 16}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("small")
    chance = np.random.default_rng(0)
    rows = pd.DataFrame({"x": chance.normal(size=300), "kind": chance.choice(list("abc"), 300)})
    rows["late"] = np.where(chance.random(300) < 0.2, None, (rows.x > 0).astype(object))
    rows["delay"] = rows.x * 10 + chance.normal(size=300)
    rows.to_csv(home / "rows.csv", index=False)
    (home / "suite.yaml").write_text(SUITE)
    return home


@pytest.fixture(scope="module")
def model(home):
    suite = load(home / "suite.yaml")
    prepared = prepare_tables(suite, home / "cache")
    targets = prepared["rows"].target_info
    return Model.of(suite, prepared, learner(suite, {"rows": prepared["rows"].shape}, targets).eval())


@pytest.fixture(scope="module")
def raw(home):
    return pd.read_csv(home / "rows.csv")


def test_predictions_are_named_columns_under_the_rows_own_index(model, raw):
    rows = raw.drop(columns=["late", "delay"]).set_index(pd.Index(range(1000, 1300)))
    found = model.predict(rows)
    assert list(found.columns) == ["late", "late_probability", "delay"]
    assert found.index.equals(rows.index)
    assert found.late_probability.between(0, 1).all()


def test_saved_and_loaded_it_predicts_the_same_bits(model, raw, home):
    model.save(home / "model")
    for loaded in (Model.load(home / "model"), load_model(home / "model"), load_model(f"{home}/model")):
        pd.testing.assert_frame_equal(loaded.predict(raw), model.predict(raw), check_exact=True)
    served = _load_pyfunc(str(home / "model"))
    pd.testing.assert_frame_equal(served.predict(raw), model.predict(raw), check_exact=True)


def test_the_folder_holds_no_pickle_and_says_what_the_trunk_is(model, home):
    model.save(home / "model")
    names = {path.name for path in (home / "model").rglob("*") if path.is_file()}
    assert names == {"suite.yaml", "schema.json", "trunk.json", "weights.safetensors", "preprocessor.json"}
    trunk = json.loads((home / "model/trunk.json").read_text())
    assert trunk["trunk"] == {"name": "mlp", "widths": [8], "dropout": 0.0, "norm": "none", "activation": "relu"}
    assert trunk["stems"]["rows"]["inputs"] == {"numbers": 1, "categories": [4], "others": []}


def test_more_rows_than_a_chunk_equal_the_rows_one_chunk_at_a_time(model, raw, monkeypatch):
    whole = model.outputs(raw)
    monkeypatch.setattr("polygraft.assembly.model.CHUNK", 64)
    for task, outputs in model.outputs(raw).items():
        assert torch.allclose(outputs, whole[task], atol=1e-6)
        assert len(outputs) == len(raw)


def test_scoring_leaves_missing_labels_out(model, raw, home):
    known = raw[raw.late.notna()]
    known.to_csv(home / "known.csv", index=False)
    everything, labelled = evaluate(model, home / "rows.csv"), evaluate(model, home / "known.csv")
    assert everything["late/auc"] == pytest.approx(labelled["late/auc"])
    assert everything["delay/rmse"] != labelled["delay/rmse"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.drop(columns="x"), "the column 'x' (number) is missing."),
        (lambda rows: rows.assign(x="high"), "the column 'x' is a number: "),
    ],
)
def test_rows_of_another_form_are_refused_by_name(model, raw, change, said):
    with pytest.raises(UserError) as caught:
        model.predict(change(raw))
    assert said in str(caught.value)


def test_an_unknown_level_is_predicted_as_unknown(model, raw):
    assert model.predict(raw.assign(kind="never seen")).notna().all().all()


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(UserError) as caught:
        load_model(tmp_path)
    assert str(caught.value) == f"{tmp_path}: no model: schema.json is missing."
