"""Optimisers: what is decayed, how a schedule reaches them, and that their state comes back bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from polygraft.training.optimizers import OPTIMIZERS, load_optimizer, optimizer, optimizer_tensors, set_rate

SETTINGS = {"adamw": {"weight_decay": 0.1}, "sgd": {"weight_decay": 0.1, "momentum": 0.9}}


def made(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    return model, optimizer(name, model.named_parameters(), lr=0.1, **SETTINGS[name])


def steps(model, moves, count, first=0):
    for step in range(first, first + count):
        torch.manual_seed(step)
        model(torch.randn(8, 3)).square().sum().backward()
        moves.step()
        moves.zero_grad()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_vectors_are_not_decayed(name):
    model, moves = made(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    moves.step()
    for key, parameter in model.named_parameters():
        assert torch.equal(parameter, before[key]) == (parameter.ndim < 2), key


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_rate_is_a_share_of_the_full_one_however_often_it_is_set(name):
    _, moves = made(name)
    set_rate(moves, 0.5)
    set_rate(moves, 0.25)
    assert {group["lr"] for group in moves.param_groups} == {0.025}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_saved_state_goes_on_with_the_same_bits(name):
    model, moves = made(name)
    steps(model, moves, 3)
    names = {parameter: key for key, parameter in model.named_parameters()}
    tensors = {key: value.clone() for key, value in optimizer_tensors(moves, names).items()}
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    steps(model, moves, 3, first=3)

    other, fresh = made(name)
    other.load_state_dict(weights)
    load_optimizer(fresh, {parameter: key for key, parameter in other.named_parameters()}, tensors)
    steps(other, fresh, 3, first=3)
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key
