"""What a balanced step is, for every balancer in each of its modes: against an oracle, and by its symmetries."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from balancing_exceptions import EXCEPTIONS
from balancing_oracle import PlainStep, mode_rows
from balancing_toy import (
    CASES,
    METHODS,
    ROWS,
    SHARDS,
    TASKS,
    Network,
    Rows,
    balancer,
    batch,
    gradients,
    independent,
    shard_of,
    tape,
)
from gramian_families import VARIANTS
from oracles.plain import ORACLES
from polygraft.balancing import registry
from polygraft.balancing.gradients import Gradients, Measured, Shards, Tape
from polygraft.core.catalogue import catalogue
from required_settings import REQUIRED

every_case = pytest.mark.parametrize(("name", "mode"), CASES)


def every_case_where(law: str) -> pytest.MarkDecorator:
    """Every case but the exceptions to this law."""
    return pytest.mark.parametrize(("name", "mode"), [case for case in CASES if case[0] not in EXCEPTIONS[law]])


def network(seed: int = 3) -> Network:
    torch.manual_seed(seed)
    return Network().double()


def tapes(net: Network, rows: Rows, mode: str, *, aliases: bool = True) -> list[Tape]:
    return [
        tape(net, shard_of(rows, shard), cut=mode in ("last_layer", "features"), aliases=aliases)
        for shard in range(SHARDS)
    ]


def go(engine: Gradients, step: int, rows: Rows, make: Callable[[Rows], list[Tape]]) -> Measured:
    """A backward of the step's batch, and of its independent ones where the method asks for them."""
    others = independent(step, rows.inputs.dtype, engine.batches_of(step))
    return engine.backward(make(rows), step, independent=[make(each) for each in others])


def left(net: Network) -> dict[str, Tensor | None]:
    return {name: None if each.grad is None else each.grad.clone() for name, each in net.named_parameters()}


def assert_same(found: dict[str, Tensor | None], wanted: dict[str, Tensor | None], tolerance: float = 1e-9) -> None:
    assert found.keys() == wanted.keys()
    for name, each in wanted.items():
        mine = found[name]
        assert (mine is None) == (each is None), name
        if mine is not None and each is not None:
            torch.testing.assert_close(
                mine, each, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
            )


@every_case
@pytest.mark.parametrize("aliases", [True, False], ids=["aliases", "no aliases"])
def test_a_step_equals_the_plain_oracle(name: str, mode: str, aliases: bool) -> None:
    """Missing labels, uneven shards, row weights, a task that is absent at step 3; six steps of AdamW."""
    mine = network()
    plain = copy.deepcopy(mine)
    engine, oracle = gradients(mine, name, mode, Shards(SHARDS)), PlainStep(name, mode)
    optimizers = [torch.optim.AdamW(each.parameters(), lr=0.01) for each in (mine, plain)]
    for step in range(6):
        rows = batch(step, torch.float64)
        go(engine, step, rows, lambda each: tapes(mine, each, mode, aliases=aliases))
        wanted = oracle.gradients(plain, rows, step, rank=4)
        assert_same(left(mine), wanted)
        for parameter_name, parameter in plain.named_parameters():
            parameter.grad = wanted[parameter_name]
        for optimizer in optimizers:
            optimizer.step()
        if engine.observes:
            with torch.no_grad():
                engine.observe(tapes(mine, rows, mode), step)
            oracle.observe(plain, rows)
    assert_same(dict(mine.state_dict()), dict(plain.state_dict()))


@pytest.mark.parametrize(("name", "mode"), [case for case in CASES if case[1] != "losses"])
@pytest.mark.parametrize("rank", [4, "full"])
def test_the_gramian_is_autograds(name: str, mode: str, rank: int | str) -> None:
    net, rows = network(), batch(0, torch.float64)
    engine = gradients(net, name, mode, Shards(SHARDS), rank=rank)
    measured = go(engine, 0, rows, lambda each: tapes(net, each, mode))
    first_compared = [rows, *independent(0, torch.float64, engine.batches_of(0))][-2:][0]
    looked_at = mode_rows(net, first_compared, mode, rank if isinstance(rank, int) else None)
    assert measured.gramian is not None
    torch.testing.assert_close(measured.gramian, looked_at @ looked_at.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", ["last_layer", "features"])
def test_the_agreement_is_with_the_parameters_gramian(mode: str) -> None:
    net, rows = network(), batch(0, torch.float64)
    measured = gradients(net, "mgda", mode, Shards(SHARDS)).backward(tapes(net, rows, mode), 0)
    true = mode_rows(net, rows, "parameters")
    unit = true / true.norm(dim=1, keepdim=True)
    above = torch.triu_indices(3, 3, 1)
    wanted = (unit @ unit.T)[above[0], above[1]]
    assert measured.cosines is not None
    mine = measured.cosines[above[0], above[1]]
    assert measured.agreement["correlation"] == pytest.approx(torch.corrcoef(torch.stack([mine, wanted]))[0, 1].item())
    assert measured.agreement["signs"] == pytest.approx((mine.sign() == wanted.sign()).double().mean().item())
    assert gradients(net, "mgda", mode, Shards(SHARDS)).backward(tapes(net, rows, mode), 1).agreement == {}


def test_measuring_the_agreement_changes_nothing() -> None:
    ends = []
    for every in (0, 1):
        net, rows = network(), batch(0, torch.float64)
        gradients(net, "pcgrad", "last_layer", Shards(SHARDS), agreement_every=every).backward(
            tapes(net, rows, "last_layer"), 1
        )
        ends.append(left(net))
    assert_same(*ends, tolerance=0)


@every_case_where("one task is a plain step")
def test_one_task_is_a_plain_step(name: str, mode: str) -> None:
    found, wanted = of_one_task(name, mode)
    assert_same({key: found[key] for key in wanted}, wanted, 1e-6 if name == "famo" else 1e-9)


@every_case
def test_one_task_is_followed_its_own_way(name: str, mode: str) -> None:
    """Whatever the step's length: trunk and head each go straight down the task's own loss."""
    found, wanted = of_one_task(name, mode)
    for own in (True, False):
        mine, plain = (
            torch.cat(
                [each.flatten() for key, each in sorted(of.items()) if each is not None and ("heads" in key) == own]
            )
            for of in ({key: found[key] for key in wanted}, wanted)
        )
        assert float(torch.cosine_similarity(mine, plain, dim=0)) == pytest.approx(1, abs=1e-9)


def of_one_task(name: str, mode: str) -> tuple[dict[str, Tensor | None], dict[str, Tensor | None]]:
    """What is followed of one task alone, and the plain gradient of the mean loss where it has one."""
    net, rows = network(), batch(0, torch.float64)
    engine = Gradients(
        registry.make(name, REQUIRED.get(name, {}), tasks=1, names=("sold",)),
        mode=mode,
        tasks=["sold"],
        shared=net.shared(),
        own={"sold": net.own()["sold"]},
        shards=Shards(SHARDS),
        seed=7,
    )
    go(engine, 1, rows, lambda each: tapes(net, each, mode))
    found = left(net)
    net.zero_grad()
    follows = engine.balancer.follows
    for each in [rows, *independent(1, torch.float64, follows)]:
        whole = tape(net, each, cut=False)
        (whole.losses["sold"] / whole.weights["sold"] / follows).backward()
    return found, {key: each for key, each in left(net).items() if each is not None}


@every_case_where("the order of tasks does not matter")
def test_the_order_of_tasks_does_not_matter(name: str, mode: str) -> None:
    ends = []
    for order in (TASKS, (TASKS[2], TASKS[0], TASKS[1])):
        net = network()
        engine = Gradients(
            balancer(name, order),
            mode=mode,
            tasks=order,
            shared=net.shared(),
            own=net.own(),
            shards=Shards(SHARDS),
            seed=7,
        )
        for step in (1, 2):
            go(engine, step, batch(step, torch.float64), lambda each, net=net: tapes(net, each, mode))
        ends.append(left(net))
    assert_same(*ends)


@every_case_where("twice the losses are twice the gradient")
def test_twice_the_losses_are_twice_the_gradient(name: str, mode: str) -> None:
    ends = []
    for factor in (1, 2):
        net, rows = network(), batch(0, torch.float64)

        def scaled(rows: Rows, net: Network = net, factor: int = factor) -> list[Tape]:
            return [
                Tape({task: loss * factor for task, loss in each.losses.items()}, each.weights, each.cut, each.offset)
                for each in tapes(net, rows, mode)
            ]

        go(gradients(net, name, mode, Shards(SHARDS)), 1, rows, scaled)
        ends.append(left(net))
    assert_same({key: None if each is None else 2 * each for key, each in ends[0].items()}, ends[1])


@every_case
def test_the_number_of_shards_changes_roundings_alone(name: str, mode: str) -> None:
    ends = []
    for total in (1, 2, SHARDS):
        net, rows = network(), batch(1, torch.float64)

        def parted(rows: Rows, net: Network = net, total: int = total) -> list[Tape]:
            parts = [rows.part(s * ROWS // total, (s + 1) * ROWS // total) for s in range(total)]
            return [tape(net, part, cut=mode in ("last_layer", "features")) for part in parts]

        go(gradients(net, name, mode, Shards(total)), 1, rows, parted)
        ends.append(left(net))
    assert_same(ends[0], ends[1])
    assert_same(ends[0], ends[2])


def test_a_cut_may_also_be_used_where_it_is_not_needed() -> None:
    for name, mode in [("equal", "losses"), ("famo", "losses"), ("pcgrad", "parameters"), ("db_mtl", "parameters")]:
        ends = []
        for cut in (True, False):
            net, rows = network(), batch(0, torch.float64)
            parts = [tape(net, shard_of(rows, shard), cut=cut) for shard in range(SHARDS)]
            gradients(net, name, mode, Shards(SHARDS)).backward(parts, 0)
            ends.append(left(net))
        assert_same(*ends)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_says_of_itself_is_consistent(name: str) -> None:
    facts = catalogue("balancing")[name].facts
    assert facts["needs"] in ("losses", "gramian", "rows")
    assert (facts["needs"] == "losses") == (not facts["modes"])
    assert set(facts["modes"]) <= {"last_layer", "features", "parameters"}
    assert facts["heads"] in ("plain", "weighted")
    assert not facts.get("tracked") or facts["modes"] == ("parameters",)


def test_every_method_has_an_oracle() -> None:
    assert sorted(ORACLES) == sorted(METHODS)


def test_exceptions_are_of_methods_that_there_are() -> None:
    assert {name for law in EXCEPTIONS.values() for name in law} <= {*METHODS, *VARIANTS}
