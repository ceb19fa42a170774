"""Balance in anyone's own loop: plain PyTorch, two ranks, DDP, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing
from safetensors.torch import load_file
from torch import Tensor, nn

from polygraft.balancing.own_loop import Balance
from polygraft.core.errors import UserError

sys.path.insert(0, str(Path(__file__).parent))
from own_loop_ranks import CASES, Model, data, rank_of_two, train


def losses_of(model: Model, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
    inputs, targets, _ = data(step)
    features, outputs = model(inputs)
    return features, {task: ((each - targets) ** 2).mean() for task, each in outputs.items()}


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


def test_equal_is_the_plain_sum_and_adds_to_what_is_there() -> None:
    model = Model()
    _, losses = losses_of(model)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    plain = gradients(model)
    model.zero_grad()
    balance = Balance("equal", shared=model.trunk.parameters())
    balance.backward(losses_of(model)[1])
    once = gradients(model)
    balance.backward(losses_of(model)[1])
    for name, each in gradients(model).items():
        torch.testing.assert_close(once[name], plain[name])
        torch.testing.assert_close(each, 2 * plain[name])


def test_weights_by_name_reach_the_method() -> None:
    model = Model()
    _, losses = losses_of(model)
    (first, *_), weights = losses, {next(iter(losses)): 3.0}
    sum(loss * weights.get(task, 1.0) for task, loss in losses.items()).backward()  # type: ignore[union-attr]
    plain = gradients(model)
    model.zero_grad()
    Balance("fixed", shared=model.trunk.parameters(), weights=weights).backward(losses_of(model)[1])
    for name, each in gradients(model).items():
        torch.testing.assert_close(each, plain[name])
    with pytest.raises(UserError, match=f"there is no task 'other'.* tasks has {first}"):
        Balance("fixed", shared=model.trunk.parameters(), weights={"other": 1}).backward(losses_of(model)[1])


@pytest.mark.parametrize("mode", ["last_layer", "features", "parameters"])
def test_what_is_given_selects_the_mode(mode: str) -> None:
    model = Model()
    balance = Balance(
        "mgda",
        shared=model.trunk.parameters(),
        layer=model.trunk[-1] if mode == "last_layer" else None,
        rank="full",
        agreement_every=1,
    )
    features, losses = losses_of(model)
    seen = balance.backward(losses, features=features if mode == "features" else None)
    assert balance.mode == mode
    of = {"last_layer": list(model.trunk[-1].parameters()), "parameters": list(model.trunk.parameters())}
    features, losses = losses_of(model)
    rows = torch.stack(
        [
            torch.cat(
                [each.flatten() for each in torch.autograd.grad(loss, of.get(mode, [features]), retain_graph=True)]
            )
            for loss in losses.values()
        ]
    )
    torch.testing.assert_close(seen.gramian, rows @ rows.T)


def test_a_saved_state_goes_on_also_before_the_first_backward() -> None:
    ends = []
    for stop in (False, True):
        model = Model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        balance = Balance("db_mtl", shared=model.trunk.parameters())
        for step in range(4):
            if stop and step == 2:
                state = balance.state_dict()
                balance = Balance("db_mtl", shared=model.trunk.parameters())
                balance.load_state_dict(state)
                assert balance.state_dict()["steps"] == 2
            optimizer.zero_grad()
            balance.backward(losses_of(model, step)[1])
            optimizer.step()
        ends.append(model.state_dict())
    assert all(torch.equal(each, ends[1][key]) for key, each in ends[0].items())


def test_famo_looks_back() -> None:
    model = Model()
    balance = Balance("famo", shared=model.trunk.parameters())
    balance.backward(losses_of(model)[1])
    with torch.no_grad():
        balance.observe({"late": torch.tensor(0.1), "delay": torch.tensor(9.0)})
    after = balance.backward(losses_of(model)[1]).weights
    losses = losses_of(model)[1]
    assert after is not None
    assert after[1] / after[0] > losses["late"] / losses["delay"]


@pytest.mark.parametrize("mode", ["last_layer", "features", "parameters"])
def test_a_micro_batch_without_counts_weighs_nothing(mode: str) -> None:
    ends = []
    for idle in (False, True):
        model = Model()
        balance = Balance(
            "mgda", shared=model.trunk.parameters(), layer=model.trunk[-1] if mode == "last_layer" else None
        )
        for step in range(1 + idle):
            features, losses = losses_of(model, step)
            counts = dict.fromkeys(losses, 11) if step == 0 else {}
            given = features if mode == "features" else None
            seen = balance.backward(losses, counts, features=given, last=step == int(idle))
            assert (seen is None) == (step != int(idle))
        ends.append(gradients(model))
    torch.testing.assert_close(ends[1], ends[0])


def test_observe_wants_the_micro_batches_of_backward() -> None:
    model = Model()
    balance = Balance("famo", shared=model.trunk.parameters())
    balance.backward(losses_of(model)[1], last=False)
    balance.backward(losses_of(model)[1])
    with pytest.raises(UserError, match=r"backward took 2 micro-batches, observe 1\. Show it the same\."):
        balance.observe(losses_of(model)[1])


@pytest.mark.slow
def test_two_ranks_equal_one_process_with_and_without_ddp_and_micro_batches(tmp_path: Path) -> None:
    multiprocessing.spawn(rank_of_two, (str(tmp_path),), nprocs=2)
    ends = [load_file(tmp_path / f"{rank}.safetensors") for rank in range(2)]
    for method, mode in CASES:
        for key, each in train(method, mode, 0, 1).items():
            for ddp in (False, True):
                for end in ends:
                    torch.testing.assert_close(end[f"{method}/{mode}/{ddp}|{key}"], each, rtol=1e-9, atol=1e-9)
    for rank in range(2):
        said = dict(line.split("|") for line in (tmp_path / f"{rank}.refusals").read_text().splitlines())
        for case in ("unused parameters", "static graph", "unused parameters behind the features"):
            assert said[case] == (
                "the model is wrapped in DistributedDataParallel(find_unused_parameters=True), or with a static_graph, which "
                "waits for hooks that never run here. Set it to False, or leave DDP out: Balance reduces the gradients itself."
            )
        assert said["different tasks"].startswith(
            "the ranks' first backward differ in their tasks or in the parameters that they reach."
        )
        assert said["different numbers of micro-batches"] == (
            "the ranks bring 1, 2 micro-batches to one step. Give each rank the same number; "
            "one with counts={} weighs nothing."
        )
        for case in ("fully_shard", "tensor parallel"):
            assert said[case].startswith(
                "a parameter of shape (6, 4) is sharded over the ranks (FSDP, tensor parallelism)."
            )
        assert said["FSDP"].startswith("a parameter of shape (")
        assert "is sharded over the ranks (FSDP, tensor parallelism)." in said["FSDP"]


def refusal(balance: Balance, losses: dict[str, Tensor], **given: Tensor) -> str:
    with pytest.raises(UserError) as error:
        balance.backward(losses, **given)  # type: ignore[arg-type]
    return str(error.value)


def test_refusals_say_the_mend() -> None:
    model = Model()
    trunk, last = list(model.trunk.parameters()), model.trunk[-1]
    features, losses = losses_of(model)
    assert refusal(Balance("db_mtl", shared=trunk, layer=last), losses) == (
        "'db_mtl' works in parameters, not in last_layer. "
        "layer= takes last_layer, features= takes features, neither takes parameters."
    )
    assert refusal(Balance("mgda", shared=trunk, layer=last), losses).startswith(
        "layer= did not run before this backward."
    )
    assert "both train a parameter of shape (5,) that is not in shared=" in refusal(
        Balance("mgda", shared=trunk[:2]), losses
    )
    assert "comes after the layer or the features" in refusal(
        Balance("mgda", shared=[*trunk, *model.heads["late"].parameters()]), losses, features=features
    )
    assert refusal(Balance("mgda", shared=trunk, tasks=["late"]), losses).startswith("backward was given ['delay']")
    assert "features= carry no graph" in refusal(Balance("mgda", shared=trunk), losses, features=features.detach())
    with pytest.raises(UserError, match=r"no balancer is called 'pcgard'\. Did you mean 'pcgrad'\?"):
        Balance("pcgard", shared=trunk)
    with pytest.raises(UserError, match=r"'graddrop' has no setting 'lake'\. Did you mean 'leak'\?"):
        Balance("graddrop", shared=trunk, lake=1)
    with pytest.raises(UserError, match="shared= holds no parameter that is trained"):
        Balance("mgda", shared=[])


def test_a_layer_changed_in_place_is_refused() -> None:
    model = Model()
    balance = Balance("mgda", shared=model.trunk.parameters(), layer=model.trunk[-1])
    features = model.trunk(data(0)[0]).relu_()
    losses = {task: head(features).sum() for task, head in model.heads.items()}
    assert refusal(balance, losses) == "the output of layer= is changed in place. Take ReLU(inplace=False) behind it."
