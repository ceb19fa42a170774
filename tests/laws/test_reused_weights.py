"""`every: n`: weights that are refreshed at steps t with t % n == 0 and reused in between; what that costs, and how far they drift."""

from __future__ import annotations

import pytest
import torch

from balancing_costs import Counted
from balancing_toy import SHARDS, TASKS, Network, batch, gradients, tape, train
from polygraft.balancing.gradients import Shards
from polygraft.balancing.modes.reuse import drift
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError

WEIGHTINGS = [
    (name, mode)
    for name, plugin in catalogue("balancing").items()
    if not plugin.facts["elementwise"]
    for mode in (plugin.facts["modes"] or ("losses",))
]
every_weighting = pytest.mark.parametrize(("name", "mode"), WEIGHTINGS)


def same(one: dict[str, dict[str, torch.Tensor]], other: dict[str, dict[str, torch.Tensor]]) -> bool:
    return all(
        one[part].keys() == other[part].keys()
        and all(torch.equal(each, other[part][key]) for key, each in one[part].items())
        for part in one
    )


@every_weighting
def test_refreshing_at_every_step_is_the_same_as_not_saying_so(name: str, mode: str) -> None:
    assert same(train(name, mode, Shards(SHARDS), range(3)), train(name, mode, Shards(SHARDS), range(3), every=1))


@every_weighting
def test_a_run_that_stops_in_the_middle_of_a_period_goes_on_as_if_it_had_not(name: str, mode: str) -> None:
    whole = train(name, mode, Shards(SHARDS), range(7), every=3)
    half = train(name, mode, Shards(SHARDS), range(4), every=3)
    assert {"reused.weights", "reused.known"} <= half["balancer"].keys()
    assert same(whole, train(name, mode, Shards(SHARDS), range(4, 7), half, every=3))


@every_weighting
def test_a_step_in_between_looks_at_no_gradient_and_goes_through_the_trunk_once(name: str, mode: str) -> None:
    counted = Counted(name, mode, every=2)
    for number in (0, 2):
        counted.step(number)
        assert counted.weighed == 1
        between = counted.step(number + 1)
        assert (counted.weighed, counted.backwards) == (0, 1)
        assert between.gramian is None
        assert not between.drift


def test_a_step_in_between_follows_the_weights_of_the_last_refresh() -> None:
    counted = Counted("pcgrad", "parameters", every=4)
    fresh = counted.step(0).weights
    between = counted.step(1)
    assert fresh is not None
    assert between.weights is not None
    assert torch.equal(fresh, between.weights)
    rows = batch(1, torch.float64)
    whole = tape(counted.net, rows, cut=False)
    left = [each.grad.clone() for each in counted.net.first.parameters()]  # type: ignore[union-attr]
    counted.net.zero_grad()
    sum(w * whole.losses[t] / whole.weights[t] for w, t in zip(fresh.tolist(), TASKS, strict=True)).backward()  # type: ignore[union-attr]
    for mine, plain in zip(left, counted.net.first.parameters(), strict=True):
        torch.testing.assert_close(mine, plain.grad)


def test_a_task_that_was_absent_at_the_refresh_keeps_its_last_weight_or_counts_one() -> None:
    """Step 3 has no label of `kind`."""
    counted = Counted("mgda", "last_layer", every=3)
    first = counted.step(0).weights
    third = counted.step(3)
    assert third.tasks == ("price", "sold")
    after = counted.step(4).weights
    assert first is not None
    assert third.weights is not None
    assert after is not None
    assert after.tolist() == [third.weights[0], first[1], third.weights[1]]
    fresh = Counted("mgda", "last_layer", every=3)
    begun = fresh.step(3).weights
    assert begun is not None
    assert fresh.step(4).weights.tolist() == [begun[0], 1, begun[1]]  # type: ignore[union-attr]


def test_the_drift_is_the_angle_between_the_old_direction_and_the_new() -> None:
    counted = Counted("pcgrad", "parameters", every=2)
    old = counted.step(0)
    assert old.drift == {}
    new = counted.step(2)
    rows = torch.linalg.cholesky(new.gramian)  # type: ignore[arg-type]
    one, other = old.weights @ rows, new.weights @ rows  # type: ignore[operator]
    assert new.drift["cosine"] == pytest.approx(torch.cosine_similarity(one, other, 0).item())
    assert new.drift["change"] == pytest.approx(((new.weights - old.weights).norm() / old.weights.norm()).item())  # type: ignore[operator,union-attr]
    assert {f"drift/{name}": each for name, each in new.drift.items()}.items() <= new.values().items()


def test_a_drift_of_nothing_is_not_told() -> None:
    zero, one = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    assert drift(zero, one, None) == {}
    assert drift(one, one, torch.zeros(2, 2, dtype=torch.float64)) == {"change": 0.0}


def test_a_method_that_looks_back_does_so_after_a_refresh_alone() -> None:
    counted = Counted("famo", "losses", every=2)
    looks = []
    for number in range(4):
        counted.step(number)
        looks.append(counted.engine.observes)
    assert looks == [True, False, True, False]


def test_a_method_that_combines_element_by_element_has_nothing_to_reuse() -> None:
    with pytest.raises(
        UserError, match=r"every: 2, but DBMTL combines the gradients element by element .* Leave every out"
    ):
        gradients(Network(), "db_mtl", "parameters", Shards(1), every=2)


def test_the_state_of_reused_weights_loads_strictly() -> None:
    engine = gradients(Network(), "pcgrad", "last_layer", Shards(1), every=2)
    state = engine.state_dict()
    with pytest.raises(RuntimeError, match="missing or unexpected known"):
        engine.load_state_dict({key: each for key, each in state.items() if key != "reused.known"})
    with pytest.raises(RuntimeError, match=r"reused weights: of shape \(2,\), not \(3,\)"):
        engine.load_state_dict({**state, "reused.weights": torch.ones(2)})
    with pytest.raises(RuntimeError, match=r"reused\.weights"):
        gradients(Network(), "pcgrad", "last_layer", Shards(1)).load_state_dict(state)
