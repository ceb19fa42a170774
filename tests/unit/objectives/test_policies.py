"""Objectives that act: their targets by hand, their advantages by brute force, and the actions that they choose."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from polygraft import objectives
from polygraft.core.batch import Batch, Inputs
from polygraft.data.target import Target
from polygraft.models import heads, sharing, stems, trunks
from polygraft.models.network import Network

TARGET = Target("t", (), "actions", ("0", "1", "2"), mean=20.0, std=455.0)


class Fixed:
    """A network whose outputs are what it is told: of observation i, line i of them."""

    tables = {"t": "room"}  # noqa: RUF012 - never changed

    def __init__(self, outputs: list[list[float]]) -> None:
        self.lines = torch.tensor(outputs)

    def view(self, batch: dict[str, Batch], **_: Any) -> Any:
        return SimpleNamespace(network=self, outputs={"t": self.lines[batch["room"].inputs["numbers"][:, 0].long()]})


def rows(**played: Any) -> Batch:
    inputs = {name if name == "numbers" else f"played/{name}": torch.as_tensor(each) for name, each in played.items()}
    count = len(inputs["numbers"])
    present = {"t": torch.ones(count, dtype=torch.bool)}
    return Batch(inputs, present=present, weights=torch.ones(count), rows=torch.arange(count))


def made(name: str, **settings: Any) -> Any:
    return objectives.registry.make(name, settings, task="t", target=TARGET)


LEARNING = [[1.0, 5.0, 2.0], [7.0, 0.0, 1.0]]
SECOND = [[10.0, 20.0, 90.0], [30.0, 60.0, 50.0]]


@pytest.mark.parametrize(
    ("double", "worth"),
    [(False, [90.0, 60.0]), (True, [20.0, 30.0])],  # the second network's best; its value of what the first thinks best
)
def test_the_target_by_hand(double, worth):
    """No bootstrap where the task ended, one where only its time did, discounted by as many steps as were summed."""
    objective = made("dqn", discount=0.5, double=double, n_step=3)
    objective.second = None
    object.__setattr__(objective, "second", Fixed(SECOND))
    batch = rows(
        numbers=[[0.0]] * 4,
        following=[[0.0], [1.0], [0.0], [1.0]],
        rewards=[[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [1.0, 2.0, 4.0], [1.0, 2.0, 0.0]],
        lengths=[1, 2, 3, 2],
        terminated=[False, False, False, True],
    )
    found = objective.targets(Fixed(LEARNING), "room", batch)
    summed = [1.0, 1 + 0.5 * 2, 1 + 0.5 * 2 + 0.25 * 4, 2.0]
    ahead = [0.5 * worth[0], 0.25 * worth[1], 0.125 * worth[0], 0.0]
    assert found.tolist() == [a + b for a, b in zip(summed, ahead, strict=True)]


@pytest.mark.parametrize(("loss", "of"), [("mse", lambda e: e**2), ("huber", lambda e: abs(e) - 0.5)])
def test_a_row_s_loss_is_times_its_importance_and_divided_by_the_rows(loss, of):
    objective = made("dqn", discount=0.5, double=False, loss=loss)
    object.__setattr__(objective, "second", Fixed(SECOND))
    batch = rows(
        numbers=[[0.0], [1.0]],
        actions=[1, 0],
        following=[[0.0], [0.0]],
        rewards=[[1.0], [2.0]],
        lengths=[1, 1],
        terminated=[False, True],
    )
    batch.weights[1] = 0.25
    found = objective.losses(Fixed(LEARNING).view({"room": batch}), {"room": batch})
    errors = [1 + 45 - 5.0, 2 - 7.0]
    assert found.errors.tolist() == errors
    assert found.total.item() == pytest.approx(of(errors[0]) + 0.25 * of(errors[1]))
    assert found.weight.item() == 2


def network() -> Network:
    torch.manual_seed(0)
    stem = stems.registry.make("columns", {}, inputs=Inputs(numbers=2))
    way = sharing.registry.make(
        "hard",
        {},
        make_trunk=lambda: trunks.registry.make("mlp", {"widths": [4], "dropout": 0.5}, width=2),
        tasks=("t",),
        offer=stem.offer,
    )
    head = heads.registry.make("q_values", {"dueling": True, "hidden": [4]}, offer=way.offer, size=3)
    return Network({"room": stem}, way, {"t": head}, {"t": "room"})


def test_the_second_network_stands_still_until_it_is_copied_and_drops_nothing_out():
    learns, objective = network(), made("dqn", target_every=3)
    objective.meet(learns)
    objective.train()
    assert not any(each.training for each in objective.second.modules())
    assert not next(objective.second.parameters()).requires_grad
    for update in range(1, 7):
        with torch.no_grad():
            for each in learns.parameters():
                each += 1.0
        objective.after_step(learns)
        same = all(torch.equal(a, b) for a, b in zip(learns.parameters(), objective.second.parameters(), strict=True))
        assert same == (update % 3 == 0)
    again = made("dqn", target_every=3)
    again.meet(network())
    again.load_state_dict(objective.state_dict())
    assert int(again.updates) == 6


def test_a_dueling_head_s_advantages_have_mean_0():
    head = network().heads["t"]
    from polygraft.core.features import Features

    seen = Features(vector=torch.randn(5, 4))
    assert torch.allclose(head(seen).mean(1), head.value(seen).squeeze(1), atol=1e-6)


def brute_force(values: Tensor, after: Tensor, inputs: dict[str, Tensor], discount: float, trace: float) -> list[float]:
    """Schulman et al. 2016, equation 16, as a sum over what follows each row, up to a cut."""
    found = []
    for at in range(len(values)):
        total, factor, step = 0.0, 1.0, at
        while True:
            worth = 0.0 if inputs["played/terminated"][step] else discount * float(after[step])
            total += factor * (float(inputs["played/rewards"][step]) + worth - float(values[step]))
            if inputs["played/cut"][step]:
                break
            factor, step = factor * discount * trace, step + 1
        found.append(total)
    return found


@pytest.mark.parametrize("trace", [0.0, 0.5, 0.95, 1.0])
def test_advantages_are_those_of_brute_force(trace):
    chance = np.random.default_rng(3)
    terminated = chance.random(24) < 0.1
    cut = terminated | (chance.random(24) < 0.1)
    cut[7::8] = True
    values, after = (torch.from_numpy(chance.normal(size=24).astype(np.float32)) for _ in range(2))
    inputs = rows(
        numbers=np.zeros((24, 1)), rewards=chance.normal(size=24).astype(np.float32), terminated=terminated, cut=cut
    ).inputs
    found = made("a2c", discount=0.9, trace=trace).advantages(values, after, inputs)
    assert np.allclose(found, brute_force(values, after, inputs, 0.9, trace), atol=1e-5)


def test_with_trace_1_an_advantage_is_all_rewards_and_the_value_at_the_cut():
    """Mnih et al. 2016, algorithm S3: R = V(s_T) unless the task ended, then R = r + gamma R."""
    batch = rows(
        numbers=[[0.0]] * 3, rewards=[1.0, 2.0, 4.0], terminated=[False, False, False], cut=[False, False, True]
    )
    values, after = torch.tensor([10.0, 20.0, 30.0]), torch.tensor([20.0, 30.0, 8.0])
    found = made("a2c", discount=0.5).advantages(values, after, batch.inputs)
    assert found.tolist() == [1 + 1 + 1 + 1 - 10, 2 + 2 + 2 - 20, 4 + 4 - 30]


def test_the_loss_of_an_actor_critic_by_hand():
    """-log pi(a) A - entropy, and the value's squared error; A and the value's target have no gradient."""
    objective = made("a2c", discount=0.5, value=0.25, entropy=0.1)
    lines = torch.tensor([[0.5, -0.5, 0.0, 3.0], [0.0, 1.0, 0.0, 2.0]], requires_grad=True)
    net = Fixed([[0.0] * 4])
    net.lines = lines
    batch = rows(numbers=[[0.0]], actions=[1], following=[[1.0]], rewards=[1.0], terminated=[False], cut=[True])
    found = objective.losses(net.view({"room": batch}), {"room": batch})
    logs = lines[0, :3].detach().log_softmax(0)
    advantage = 1 + 0.5 * 2 - 3
    wanted = -logs[1] * advantage + 0.25 * advantage**2 + 0.1 * (logs.exp() * logs).sum()
    assert found.total.item() == pytest.approx(wanted.item())
    found.total.backward()
    assert lines.grad is not None
    assert lines.grad[1].abs().sum() == 0, "what follows is no target to move"
    assert lines.grad[0, 3].item() == pytest.approx(-2 * 0.25 * advantage)


def test_exploration_falls_in_a_straight_line_and_stays():
    objective = made("dqn", explore=0.1, explore_until=0.5)
    outputs = torch.tensor([[0.0, 9.0, 0.0]]).expand(4000, 3)
    chance = torch.rand(4000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for done, share in ((0.0, 1.0), (0.25, 0.55), (0.5, 0.1), (0.9, 0.1)):
        others = (objective.choose(outputs, chance, done) != 1).double().mean().item()
        assert others == pytest.approx(share * 2 / 3, abs=0.03)


def test_a_policy_s_actions_come_as_often_as_they_are_likely():
    likely = torch.tensor([0.2, 0.5, 0.3])
    outputs = torch.cat([likely.log(), torch.zeros(1)]).expand(20_000, 4)
    chance = torch.rand(20_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = made("a2c").choose(outputs, chance, 0.3).bincount(minlength=3) / 20_000
    assert torch.allclose(found, likely, atol=0.01)


def test_scores_are_the_mean_return_and_where_it_stands_between_random_and_solved():
    returns = torch.tensor([[475.0], [20.0]])
    scores = made("dqn").scores(returns, returns, returns > 0, returns)
    assert scores == {"return": 247.5, "improvement": 0.5}
    (exhibit,) = made("a2c").exhibits(returns, returns, returns > 0, returns)
    assert exhibit.arrays["y"].tolist() == [20.0, 475.0]


def test_predictions_are_the_best_action_and_what_is_known_of_each():
    values = made("dqn").predict(torch.tensor([[1.0, 3.0, 2.0]]))
    assert {name: each.tolist() for name, each in values.items()} == {
        "t": ["1"],
        "t_value_0": [1.0],
        "t_value_1": [3.0],
        "t_value_2": [2.0],
    }
    policy = made("a2c").predict(torch.tensor([[0.0, 0.0, 5.0, 7.0]]))
    assert policy["t"].tolist() == ["2"]
    assert policy["t_value"].tolist() == [7.0]
    assert sum(float(policy[f"t_probability_{action}"][0]) for action in range(3)) == pytest.approx(1)
