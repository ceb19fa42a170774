"""Stems, trunks and heads one by one: what they compute, offer and refuse."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from polygraft.core.batch import Inputs
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.models import heads, stems, trunks
from polygraft.models.embeddings import Embeddings, width_of


def test_the_rooms_hold_these_plugins():
    rooms = ("models/stems", "models/trunks", "models/heads")
    assert [catalogue(room).names() for room in rooms] == [
        ["columns", "image", "joined", "series", "tokens"],
        ["cnn", "feature_pyramid", "lstm", "mlp", "transformer"],
        ["anywhere", "boxes", "dense", "image_decoder"],
    ]
    sharing = ["cgc", "cross_stitch", "dselect_k", "hard", "ltb", "mmoe", "mtan", "ple"]
    assert catalogue("models/sharing").names() == sharing
    assert catalogue("models/heads")["dense"].asks == ("offer", "size")
    assert catalogue("models/sharing")["hard"].facts["cuts"] is True


def test_embeddings_equal_an_embedding_a_column():
    levels = (3, 40, 3, 200, 7)
    torch.manual_seed(0)
    embeddings = Embeddings(levels)
    codes = torch.stack([torch.randint(0, each, (50,)) for each in levels], 1).int()
    order = embeddings.columns.tolist()
    parts, widths = [], sorted({width_of(each) for each in levels})
    for width, table in zip(widths, embeddings.tables, strict=True):
        start = 0
        for column in (column for column in order if width_of(levels[column]) == width):
            own = nn.Embedding.from_pretrained(table.weight[start : start + levels[column]])
            parts.append(own(codes[:, column]))
            start += levels[column]
        assert start == len(table.weight)
    assert torch.equal(embeddings(codes), torch.cat(parts, 1))
    assert embeddings.width == sum(map(width_of, levels))


@pytest.mark.parametrize(("levels", "width"), [(1, 2), (2, 2), (3, 4), (10, 8), (30, 8), (100, 16), (10**6, 32)])
def test_an_embeddings_width_follows_its_levels(levels, width):
    assert width_of(levels) == width


@pytest.mark.parametrize(("numbers", "categories"), [(4, ()), (0, (3, 9)), (4, (3, 9))])
@pytest.mark.parametrize("settings", [{}, {"numbers": "periodic"}, {"width": 5}, {"embedding": 3, "dropout": 0.1}])
def test_a_stem_offers_what_it_gives(numbers, categories, settings):
    stem = stems.registry.make("columns", settings, inputs=Inputs(numbers, categories))
    rows = {"numbers": torch.randn(6, numbers), "categories": torch.zeros(6, len(categories), dtype=torch.int32)}
    vector = stem({name: tensor for name, tensor in rows.items() if tensor.shape[1]}).vector
    assert vector.shape == (6, stem.offer.width)


def test_periodic_numbers_follow_the_papers_equation():
    stem = stems.registry.make("columns", {"numbers": "periodic"}, inputs=Inputs(2))
    numbers = torch.randn(5, 2)
    periodic = stem.periodic
    each = []
    for column in range(2):
        angle = 2 * math.pi * numbers[:, column : column + 1] * periodic.frequencies[column]
        waves = torch.cat([angle.sin(), angle.cos()], 1)
        each.append((waves @ periodic.weight[column] + periodic.bias[column]).relu())
    assert_close(stem({"numbers": numbers}).vector, torch.cat([numbers, *each], 1))


def test_a_table_without_columns_is_refused():
    with pytest.raises(UserError, match="no columns left to learn from"):
        stems.registry.make("columns", {}, inputs=Inputs())


def test_an_mlp_is_linear_layers_and_activations():
    trunk = trunks.registry.make("mlp", {"widths": [6, 4], "norm": "layer", "activation": "gelu"}, width=3)
    kinds = [[type(module) for module in (stage.linear, *stage.then)] for stage in trunk.stages]
    assert kinds == [[nn.Linear, nn.LayerNorm, nn.GELU]] * 2
    assert trunk.offers == (Offer("vector", 6), Offer("vector", 4))
    assert trunk.last_layer() is trunk.stages[-1].linear


def test_a_trunk_runs_stage_by_stage_too():
    trunk = trunks.registry.make("mlp", {"widths": [6, 4, 5]}, width=3)
    rows = Features(vector=torch.randn(7, 3))
    prefix = trunk(rows, last=2)
    assert torch.equal(trunk(prefix, first=2).vector, trunk(rows).vector)
    assert prefix.vector.shape == (7, 4)


def test_an_mlp_without_layers_is_refused():
    with pytest.raises(UserError, match=r"widths: an MLP needs at least one layer; give the units of each"):
        trunks.registry.make("mlp", {"widths": []}, width=3)


@pytest.mark.parametrize("settings", [{"widths": [0]}, {"dropout": 1.0}, {"norm": "batch"}, {"activation": "tanh"}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UserError, match=next(iter(settings))):
        trunks.registry.make("mlp", settings, width=3)


@pytest.mark.parametrize(("hidden", "layers"), [([], 1), ([5], 2), ([5, 4], 3)])
def test_a_dense_head_has_its_size(hidden, layers):
    head = heads.registry.make("dense", {"hidden": hidden}, offer=Offer("vector", 8), size=3)
    assert head(Features(vector=torch.randn(6, 8))).shape == (6, 3)
    assert sum(isinstance(module, nn.Linear) for module in head.modules()) == layers


def test_features_name_their_parts_in_a_fixed_order():
    vector, sequence, level = torch.zeros(2, 3), torch.zeros(2, 4, 3), torch.zeros(2, 3, 5, 5)
    mask = torch.ones(2, 4, dtype=torch.bool)
    features = Features(vector, sequence, mask, (level,))
    other = features.with_tensors([part + 1 for part in features.tensors])
    assert [bool((part == 1).all()) for part in other.tensors] == [True] * 3
    assert other.mask is mask
    assert Features(sequence=sequence).with_tensors((sequence,)).vector is None
