"""Balance beside the rest of PyTorch: clipping, autocast, checkpointed trunks, unused parameters, torch.compile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.utils.checkpoint import checkpoint

from polygraft.balancing.gradients import NotFinite
from polygraft.balancing.own_loop import Balance
from polygraft.core.errors import UserError

sys.path.insert(0, str(Path(__file__).parent))
from own_loop_ranks import Model, data

every_mode = pytest.mark.parametrize(
    ("method", "mode"), [("mgda", "last_layer"), ("mgda", "features"), ("mgda", "parameters"), ("equal", "losses")]
)


def balance_of(model: Model, method: str, mode: str) -> Balance:
    layer = model.trunk[-1] if mode == "last_layer" else None
    return Balance(method, shared=model.trunk.parameters(), layer=layer, agreement_every=1)


def backward(balance: Balance, model: Any, mode: str, factor: float = 1.0, **given: Any) -> None:
    inputs, targets, _ = data(0)
    features, outputs = model(inputs.to(given.pop("dtype", inputs.dtype)))
    losses = {task: ((each - targets) ** 2).mean() * factor for task, each in outputs.items()}
    balance.backward(losses, features=features if mode == "features" else None, **given)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """By name as it was before anything was compiled."""
    return {
        name.replace("_orig_mod.", ""): each.grad.clone()
        for name, each in model.named_parameters()
        if each.grad is not None
    }


@every_mode
def test_clipping_comes_after_and_does_not_see_the_scale(method: str, mode: str) -> None:
    ends = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=2.0**12)):
        model = Model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        backward(balance_of(model, method, mode), model, mode, scaler=scaler)
        if scaler is not None:
            scaler.unscale_(optimizer)
        norm = clip_grad_norm_(model.parameters(), 0.01)
        assert norm > 0.01
        torch.testing.assert_close(
            torch.cat([each.flatten() for each in gradients(model).values()]).norm(),
            torch.tensor(0.01, dtype=torch.float64),
            rtol=1e-3,
            atol=0,
        )
        ends.append({**gradients(model), "norm": norm})
    assert all(torch.equal(each, ends[1][name]) for name, each in ends[0].items())


@every_mode
def test_a_scaler_keeps_small_gradients_in_half_precision(method: str, mode: str) -> None:
    """Losses times 1e-8: in float16 their gradients at the heads are 0; a plain scaled backward keeps them, and so do we."""
    found = {}
    for scale in (None, 2.0**20):
        model = Model().float()
        scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
        with torch.autocast("cpu", torch.float16):
            backward(balance_of(model, method, mode), model, mode, 1e-8, scaler=scaler, dtype=torch.float32)
        found[scale] = gradients(model)["trunk.0.weight"] / (scale or 1)
    exact = Model().float()
    backward(balance_of(exact, method, mode), exact, mode, 1e-8, dtype=torch.float32)
    wanted = gradients(exact)["trunk.0.weight"]
    assert (found[2.0**20] - wanted).norm() < 0.02 * wanted.norm()
    assert (found[None] - wanted).norm() > 0.2 * wanted.norm()


@every_mode
def test_autocast_to_bfloat16_needs_no_scaler(method: str, mode: str) -> None:
    model, exact = Model().float(), Model().float()
    with torch.autocast("cpu", torch.bfloat16):
        backward(balance_of(model, method, mode), model, mode, dtype=torch.float32)
    backward(balance_of(exact, method, mode), exact, mode, dtype=torch.float32)
    for name, wanted in gradients(exact).items():
        assert (gradients(model)[name] - wanted).norm() < 0.05 * wanted.norm(), name


def test_a_scaler_that_is_switched_off_is_none() -> None:
    model = Model()
    with pytest.raises(NotFinite, match="the loss of 'late', 'delay' is not finite"):
        backward(
            balance_of(model, "mgda", "parameters"),
            model,
            "parameters",
            torch.inf,
            scaler=torch.amp.GradScaler("cpu", enabled=False),
        )


@every_mode
def test_a_shared_parameter_that_no_loss_reaches_gets_zeros_and_leaves_the_others_alone(method: str, mode: str) -> None:
    ends = []
    for extra in (False, True):
        model = Model()
        unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
        balance = Balance(
            method,
            shared=[*model.trunk.parameters(), *([unused] if extra else [])],
            layer=model.trunk[-1] if mode == "last_layer" else None,
        )
        backward(balance, model, mode)
        ends.append(gradients(model))
    torch.testing.assert_close(unused.grad, torch.zeros_like(unused))
    torch.testing.assert_close(ends[1], ends[0])


def deep(method: str, mode: str, *, number: int, checkpointed: bool) -> tuple[int, list[Tensor | None]]:
    """Bytes that the graphs of so many micro-batches hold when the last one is there, and the trunk's gradients."""
    torch.manual_seed(0)
    trunk = nn.Sequential(*(nn.Sequential(nn.Linear(32, 32), nn.Dropout(0.1), nn.Tanh()) for _ in range(8)))
    last, heads = nn.Linear(32, 8), nn.ModuleDict({task: nn.Linear(8, 1) for task in ("late", "delay")})
    shared_parameters = [*trunk.parameters(), *last.parameters()]
    layer = last if mode == "last_layer" else None
    balance = Balance(method, shared=shared_parameters, layer=layer, agreement_every=0)
    packed: list[int] = []

    def pack(each: Tensor) -> Tensor:
        if not isinstance(each, nn.Parameter):
            packed.append(each.nbytes)
        return each

    for i in range(number):
        inputs = torch.randn(64, 32, generator=torch.Generator().manual_seed(i))
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda each: each):
            shared = checkpoint(trunk, inputs, use_reentrant=False) if checkpointed else trunk(inputs)
            features = last(shared)
            losses = {task: head(features).square().mean() for task, head in heads.items()}
        balance.backward(losses, features=features if mode == "features" else None, last=i == number - 1)
    return sum(packed), [each.grad for each in trunk.parameters()]


@every_mode
def test_kept_micro_batches_cost_their_activations_and_a_checkpointed_trunk_does_not(method: str, mode: str) -> None:
    found = {
        (checkpointed, number): deep(method, mode, number=number, checkpointed=checkpointed)
        for checkpointed in (False, True)
        for number in (1, 4)
    }
    held = {case: each for case, (each, _) in found.items()}
    assert held[False, 4] == 4 * held[False, 1]
    assert held[True, 4] == 4 * held[True, 1] < held[False, 4] / 5
    for plain, again in zip(found[False, 4][1], found[True, 4][1], strict=True):
        assert plain is not None
        assert again is not None
        assert torch.equal(plain, again)


@pytest.fixture
def dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(part: nn.Module) -> Any:
    return torch.compile(part, backend="aot_eager")


@pytest.mark.usefixtures("dynamo")
@pytest.mark.filterwarnings("ignore")  # torch._dynamo hides its own, and takes an error for one of ours
@every_mode
def test_a_compiled_trunk_and_compiled_heads_give_the_same_gradients(method: str, mode: str) -> None:
    plain, model = Model(), Model()
    backward(balance_of(plain, method, mode), plain, mode)
    balance = balance_of(model, method, mode)
    model.trunk = compiled(model.trunk)
    for task, head in list(model.heads.items()):
        model.heads[task] = compiled(head)
    backward(balance, model, mode)
    torch.testing.assert_close(gradients(model), gradients(plain))


@pytest.mark.usefixtures("dynamo")
@pytest.mark.filterwarnings("ignore")  # torch._dynamo hides its own, and takes an error for one of ours
@every_mode
def test_a_trunk_compiled_into_one_graph_with_its_heads_is_refused(method: str, mode: str) -> None:
    model = Model()
    balance = balance_of(model, method, mode)
    with pytest.raises(UserError) as error:
        backward(balance, compiled(model), mode)
    said = str(error.value)
    assert "ompile the trunk and each head by themselves" in said
    assert ("goes around the features" in said) == (mode == "features")
    assert gradients(model) == {}


@pytest.mark.usefixtures("dynamo")
@pytest.mark.filterwarnings("ignore")  # torch._dynamo hides its own, and takes an error for one of ours
def test_a_layer_whose_hook_was_not_compiled_in_is_refused() -> None:
    model = Model()
    model.trunk = compiled(model.trunk)
    model(data(0)[0])
    balance = Balance("mgda", shared=model.trunk.parameters(), layer=model.trunk._orig_mod[-1])
    with pytest.raises(UserError, match="make Balance before the first forward pass, for hooks are compiled in"):
        backward(balance, model, "last_layer")
