"""Players beside `main`: what each is asked, when it moves, its state, and what it does with a loss that is no number."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from polygraft.balancing.collectives import Shards
from polygraft.balancing.graphs import NotFinite
from polygraft.core.batch import Inputs
from polygraft.objectives.base import Loss, Player
from polygraft.training.players import Players
from unlabelled_toys import Bent, learner


class Game:
    """Two players over a weight each, by the suite's names."""

    def __init__(self) -> None:
        self.one, self.other = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
        moves = {"quick": [self.one], "slow": [self.other]}
        objective = SimpleNamespace(players=(Player("main"), Player("quick"), Player("slow", every=3)))
        self.learner = SimpleNamespace(
            named_parameters=lambda: [("one", self.one), ("other", self.other)],
            tasks=lambda: [("t", objective)],
            moved=lambda task, player: moves[player.name],
        )
        self.asked: list[tuple[int, str]] = []
        self.players = Players(self.learner, lambda named: torch.optim.Adam([each for _, each in named]), Shards(4))

    def ask(self, place: int, task: str, player: str) -> Loss:
        self.asked.append((place, player))
        weight = self.one if player == "quick" else self.other
        return Loss((weight.square() * (place + 1)).sum(), torch.tensor(float(place + 1)))


def prepare(optimizer: object, parameters: object) -> None:
    """Nothing goes before a move here."""


def test_each_moves_when_its_turn_is_there_on_every_shard() -> None:
    game = Game()
    for step in range(4):
        game.players.move(step, game.ask, prepare)
    quick, slow = [(place, "quick") for place in range(4)], [(place, "slow") for place in range(4)]
    assert game.asked == quick + slow + quick + quick + quick + slow


def test_the_gradient_is_that_of_the_global_mean() -> None:
    """Sums of losses over sums of weights: shards of other weights do not count as equals."""
    game, seen = Game(), []
    game.players.move(
        1, game.ask, lambda optimizer, parameters: seen.append([each.grad.clone() for each in parameters])
    )
    assert torch.equal(seen[0][0], torch.full((3,), 2.0))
    assert game.one.grad is None


def test_a_players_moments_go_on_where_they_were() -> None:
    one, other = Game(), Game()
    for step in range(3):
        one.players.move(step, one.ask, prepare)
    state = {key: each.clone() for key, each in one.players.state_dict().items()}
    assert {key.rpartition("/")[0] for key in state} == {"t/quick/one", "t/slow/other"}
    other.one.data, other.other.data = one.one.data.clone(), one.other.data.clone()
    other.players.load_state_dict(state)
    for game in (one, other):
        for step in range(3, 7):
            game.players.move(step, game.ask, prepare)
    assert torch.equal(one.one, other.one)
    assert torch.equal(one.other, other.other)


def test_a_loss_that_is_no_number_is_told_with_the_player_and_moves_nothing() -> None:
    game = Game()
    with pytest.raises(NotFinite, match=r"step 0: the loss of 't/quick' is not finite"):
        game.players.move(0, lambda *_: Loss(game.one.sum() * torch.nan, torch.ones(())), prepare)
    assert torch.equal(game.one, torch.ones(3))


def test_a_table_that_is_not_there_asks_nobody() -> None:
    game = Game()
    game.players.move(0, lambda *_: None, prepare)
    assert torch.equal(game.one, torch.ones(3))


def test_no_parameter_is_left_to_nobody_and_none_is_moved_by_two() -> None:
    learns = learner("gan", Inputs(numbers=3), trunk=Bent)
    moved = [each for player in learns.objective("t").players for each in learns.moved("t", player)]
    assert len(moved) == len({*moved})
    assert {*moved} == {each for each in learns.parameters() if each.requires_grad}
