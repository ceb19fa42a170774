"""State: strict, and a run that goes on from it equals one that never stopped, bit for bit."""

from __future__ import annotations

import pytest
import torch

from balancing_toy import CASES, SHARDS, Network, gradients, train
from polygraft.balancing.gradients import Shards


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_run_that_goes_on_equals_one_that_never_stopped(name: str, mode: str) -> None:
    whole = train(name, mode, Shards(SHARDS), range(8))
    half = train(name, mode, Shards(SHARDS), range(4))
    rest = train(name, mode, Shards(SHARDS), range(4, 8), half)
    for part in whole:
        assert whole[part].keys() == rest[part].keys()
        assert all(torch.equal(each, rest[part][key]) for key, each in whole[part].items()), part


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_state_loads_strictly(name: str, mode: str) -> None:
    engine = gradients(Network(), name, mode, Shards(SHARDS))
    state = engine.state_dict()
    with pytest.raises(RuntimeError, match="stranger"):
        engine.load_state_dict({**state, "stranger": torch.zeros(1)})
    for key in state:
        with pytest.raises(RuntimeError, match=key.split(".")[-1]):
            engine.load_state_dict({other: each for other, each in state.items() if other != key})
