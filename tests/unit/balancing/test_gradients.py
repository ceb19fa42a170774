"""Refusals and corners of the engine; what a step computes is in tests/laws."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from polygraft.balancing import registry
from polygraft.balancing.flat import Layout
from polygraft.balancing.gradients import Cut, Gradients, NotFinite, Shards, Tape
from polygraft.balancing.modes.agreement import agreement, condition, cosines
from polygraft.balancing.modes.last_layer import LastLayer, sketch
from polygraft.core.errors import RunFailed, UserError


def network() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"trunk": nn.Linear(3, 4), "a": nn.Linear(4, 1), "b": nn.Linear(4, 1)})


def engine(net: nn.ModuleDict, name: str, mode: str, total: int = 1, **options: object) -> Gradients:
    return Gradients(
        registry.make(name, tasks=2, names=("a", "b")),
        mode=mode,
        tasks=["a", "b"],
        shared=list(net["trunk"].parameters()),
        own={task: list(net[task].parameters()) for task in ("a", "b")},
        shards=Shards(total),
        seed=0,
        **options,  # type: ignore[arg-type]
    )


def tape(net: nn.ModuleDict, inputs: Tensor, weights: dict[str, Tensor], factor: float = 1.0) -> Tape:
    z = net["trunk"](inputs)
    leaves = {task: (z.detach().requires_grad_(),) for task in ("a", "b")}
    losses = {task: (net[task](leaves[task][0])[:, 0] ** 2 * weights[task]).sum() * factor for task in ("a", "b")}
    return Tape(losses, {task: each.sum() for task, each in weights.items()}, Cut((z,), leaves, inputs, z))


@pytest.mark.parametrize(
    ("name", "mode"), [("uncertainty", "losses"), ("mgda", "last_layer"), ("db_mtl", "parameters")]
)
def test_a_loss_that_is_not_finite_stops_before_anything_changes(name: str, mode: str) -> None:
    net = network()
    mine = engine(net, name, mode, total=2)
    before = copy.deepcopy(mine.balancer.state_dict())
    ones = {task: torch.ones(5) for task in ("a", "b")}
    good = tape(net, torch.randn(5, 3), ones)
    bad = tape(net, torch.randn(5, 3), ones)
    bad.losses["b"].data.fill_(float("nan"))  # type: ignore[attr-defined]
    with pytest.raises(NotFinite, match=r"step 12: the loss of 'b' is not finite\. Look at the rows") as error:
        mine.backward([good, bad], 12)
    assert isinstance(error.value, RunFailed)
    assert (error.value.step, error.value.tasks, error.value.what, error.value.shards) == (12, ("b",), "loss", (1,))
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.shards) == (str(error.value), (1,))
    assert all(torch.equal(each, before[key]) for key, each in mine.balancer.state_dict().items())
    assert all(each.grad is None for each in net.parameters())


@pytest.mark.parametrize("mode", ["last_layer", "features", "parameters"])
def test_a_gradient_that_is_not_finite_is_named_too(mode: str) -> None:
    net = network()
    ones = {task: torch.ones(5) for task in ("a", "b")}
    made = tape(net, torch.randn(5, 3), ones)
    leaf = made.cut.aliases["a"][0]  # type: ignore[union-attr]
    endless = (leaf[:, 0] - leaf[:, 0].detach()).abs().sqrt().sum()  # 0, with an infinite slope
    losses = {**made.losses, "a": made.losses["a"] + endless}
    with pytest.raises(NotFinite, match="step 3: the gradient of 'a' is not finite"):
        engine(net, "mgda", mode).backward([Tape(losses, made.weights, made.cut)], 3)


def test_tasks_on_different_rows_have_no_features_mode() -> None:
    net = network()
    weights = {"a": torch.tensor([1.0, 1, 1, 0, 0, 0]), "b": torch.tensor([0.0, 0, 1, 1, 1, 1])}
    with pytest.raises(UserError, match="'a' and 'b' share only 29% of their labelled rows") as error:
        engine(net, "mgda", "features").backward([tape(net, torch.randn(6, 3), weights)], 0)
    assert "Take gradients: last_layer or parameters" in str(error.value)


def test_a_batch_without_any_label_moves_nothing() -> None:
    for name, mode in [("equal", "losses"), ("mgda", "last_layer"), ("graddrop", "features"), ("db_mtl", "parameters")]:
        net = network()
        nothing = {task: torch.zeros(4) for task in ("a", "b")}
        measured = engine(net, name, mode).backward([tape(net, torch.randn(4, 3), nothing)], 0)
        assert measured.tasks == ()
        assert all(each.grad is None for each in net.parameters()), name
        assert measured.values() == {}


def test_a_sketch_is_unbiased() -> None:
    found = torch.stack([sketch(seed, 5, 3) @ sketch(seed, 5, 3).T for seed in range(4000)]).mean(0)
    torch.testing.assert_close(found, torch.eye(5, dtype=torch.float64), rtol=0, atol=0.06)


@pytest.mark.parametrize("shape", [(4, 6, 3), (4, 3, 5, 5)], ids=["sequence", "maps"])
def test_every_position_counts_as_a_row(shape: tuple[int, ...]) -> None:
    """A sequence's linear layer, a 1 x 1 convolution: their weight gradients' Gramian is exact with rank full."""
    torch.manual_seed(1)
    layer: nn.Module = nn.Linear(3, 4) if len(shape) == 3 else nn.Conv2d(3, 4, 1)
    layer.double()
    inputs = torch.randn(shape, dtype=torch.float64)
    z = layer(inputs)
    targets = [torch.randn_like(z) for _ in range(2)]
    net = nn.ModuleDict({"trunk": layer, "a": nn.Identity(), "b": nn.Identity()})
    mine = engine(net, "mgda", "last_layer", rank="full", agreement_every=1)
    assert isinstance(mine.way, LastLayer)
    leaves = {task: (z.detach().requires_grad_(),) for task in ("a", "b")}
    losses = {task: ((leaves[task][0] - t) ** 2).sum() for task, t in zip(leaves, targets, strict=True)}
    measured = mine.backward([Tape(losses, dict.fromkeys(losses, 4.0), Cut((z,), leaves, inputs, z))], 0)
    rows = torch.stack(
        [
            torch.cat(
                [
                    each.flatten()
                    for each in torch.autograd.grad(((layer(inputs) - t) ** 2).sum() / 4, list(layer.parameters()))
                ]
            )
            for t in targets
        ]
    )
    torch.testing.assert_close(measured.gramian, rows @ rows.T)
    assert measured.agreement["signs"] == 1


@pytest.mark.parametrize(
    "behind", [nn.Identity(), nn.ReLU(), nn.Tanh(), nn.Sequential(nn.GELU(), nn.SiLU()), nn.LayerNorm(4)]
)
def test_the_last_layers_gramian_whatever_stands_behind_it(behind: nn.Module) -> None:
    net = network().double()
    inputs = torch.randn(7, 3, dtype=torch.float64)
    z = net["trunk"](inputs)
    features = behind.double()(z)
    leaves = {task: (features.detach().requires_grad_(),) for task in ("a", "b")}
    losses = {task: (net[task](leaf) ** 2).sum() for task, (leaf,) in leaves.items()}
    mine = engine(net, "mgda", "last_layer", rank="full")
    measured = mine.backward([Tape(losses, dict.fromkeys(losses, 7.0), Cut((features,), leaves, inputs, z))], 1)
    plain = [(net[task](behind(net["trunk"](inputs))) ** 2).sum() / 7 for task in ("a", "b")]
    rows = torch.stack(
        [torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net["trunk"].parameters()))]) for loss in plain]
    )
    torch.testing.assert_close(measured.gramian, rows @ rows.T)


def test_a_frozen_last_layer_has_no_gramian_and_what_stands_behind_it_learns() -> None:
    net, behind = network(), nn.LayerNorm(4)
    net["trunk"].requires_grad_(False)
    mine = Gradients(
        registry.make("mgda"),
        mode="last_layer",
        tasks=["a", "b"],
        shared=list(behind.parameters()),
        own={task: list(net[task].parameters()) for task in ("a", "b")},
        shards=Shards(1),
        seed=0,
    )
    inputs = torch.randn(5, 3)
    z = net["trunk"](inputs)
    features = behind(z)
    leaves = {task: (features.detach().requires_grad_(),) for task in ("a", "b")}
    losses = {task: (net[task](leaf) ** 2).sum() for task, (leaf,) in leaves.items()}
    measured = mine.backward([Tape(losses, dict.fromkeys(losses, 5.0), Cut((features,), leaves, inputs, z))], 1)
    assert measured.gramian is not None
    assert not measured.gramian.any()
    assert behind.weight.grad is not None
    assert behind.weight.grad.any()


def test_gradients_share_no_memory() -> None:
    """Two parameters that are only ever added get one tensor from autograd; clipping in place must not scale it twice."""
    net = network()
    extra = nn.Parameter(torch.zeros(4))
    more = nn.Parameter(torch.zeros(4))
    mine = Gradients(
        registry.make("equal"),
        mode="losses",
        tasks=["a"],
        shared=[extra, more],
        own={"a": list(net["a"].parameters())},
        shards=Shards(1),
        seed=0,
    )
    mine.backward([Tape({"a": net["a"](extra + more).sum()}, {"a": 1.0})], 0)
    assert extra.grad is not None
    assert more.grad is not None
    assert extra.grad.data_ptr() != more.grad.data_ptr()
    torch.testing.assert_close(extra.grad, net["a"].weight[0].detach())


def test_a_layout_aligns_and_returns_what_it_was_given() -> None:
    parameters = [torch.randn(3), torch.randn(4, 5), torch.randn(())]
    layout = Layout(parameters)
    assert layout.starts == [0, 16, 48]
    assert layout.size == 64
    flat = layout.flatten([parameters[0], None, parameters[2]])
    back = layout.parts(flat)
    assert torch.equal(back[0], parameters[0])
    assert not back[1].any()
    assert torch.equal(back[2], parameters[2])


def test_agreement_counts_signs_and_conflicts() -> None:
    true = torch.tensor([[1.0, -0.5, 0.5], [-0.5, 1.0, -0.2], [0.5, -0.2, 1.0]])
    cheap = torch.tensor([[1.0, -0.1, -0.5], [-0.1, 1.0, 0.2], [-0.5, 0.2, 1.0]])
    found = agreement(cheap, true)
    assert found["signs"] == pytest.approx(1 / 3)
    assert found["conflicts"] == pytest.approx(1 / 2)
    assert found["correlation"] == pytest.approx(
        torch.corrcoef(torch.tensor([[-0.5, 0.5, -0.2], [-0.1, -0.5, 0.2]]))[0, 1].item()
    )
    assert agreement(cheap[:1, :1], true[:1, :1]) == {}
    assert agreement(cheap[:2, :2], true[:2, :2]) == {"signs": 1.0, "conflicts": 1.0}
    assert not cosines(torch.zeros(2, 2)).any()


def test_the_condition_number_is_the_ratio_of_the_eigenvalues_and_finite_for_duplicated_tasks() -> None:
    rows = torch.tensor([[3.0, 0.0], [4.0, 5.0]], dtype=torch.float64)  # Gramian [[9, 12], [12, 41]]: 45 and 5
    assert condition(rows @ rows.T) == pytest.approx(9)
    assert condition(torch.ones(2, 2, dtype=torch.float64)) == pytest.approx(1e15)
    assert condition(torch.zeros(2, 2, dtype=torch.float64)) == 1
