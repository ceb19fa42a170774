"""Deep Q-learning, Mnih et al. 2015 (https://doi.org/10.1038/nature14236), algorithm 1; double, van Hasselt et al. 2016 (https://arxiv.org/abs/1509.06461), equation 4.

Prioritised replay is Schaul et al. 2016 (https://arxiv.org/abs/1511.05952), several steps are Hessel et al. 2018
(https://arxiv.org/abs/1710.02298), section 3. An episode cut off by a limit of time goes on in the target, one that ended does not
(Pardo et al. 2018, https://arxiv.org/abs/1712.00378).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import huber_loss, mse_loss

from polygraft.core.batch import Batch
from polygraft.core.catalogue import Range
from polygraft.data.replay import Replayed
from polygraft.models.network import Network, View
from polygraft.objectives.base import Loss, exact
from polygraft.objectives.policies import Acting

if TYPE_CHECKING:
    from polygraft.data.target import Target


class DQN(Acting):
    """Values of actions, learned from a replay against a second network that follows behind.

    discount: of a reward one step later. double: the learning network chooses the next action, the second one values it.
    n_step: rewards that are summed before a value is trusted. loss: of the difference; `huber` is linear beyond 1.
    target_every: updates between two copies to the second network. explore: the share of random actions at the end, which falls from
    1 in a straight line over `explore_until`, a share of the run.
    replay: transitions kept. warm_up: of them played before the first update. every: steps of each instance before each update.
    priority: 0 draws uniformly, 1 in proportion to the error. correction: the exponent of the importance weights at the beginning.
    episodes: played greedily for each score.
    """

    default_head = "q_values"

    updates: Tensor

    def __init__(
        self,
        task: str,
        target: Target,
        /,
        discount: Annotated[float, Range(min=0, max=1)] = 0.99,
        double: bool = True,
        n_step: Annotated[int, Range(min=1)] = 1,
        loss: Literal["huber", "mse"] = "huber",
        target_every: Annotated[int, Range(min=1)] = 500,
        explore: Annotated[float, Range(min=0, max=1)] = 0.05,
        explore_until: Annotated[float, Range(above=0, max=1)] = 0.5,
        replay: Annotated[int, Range(min=1)] = 10_000,
        warm_up: Annotated[int, Range(min=1)] = 1_000,
        every: Annotated[int, Range(min=1)] = 1,
        priority: Annotated[float, Range(min=0, max=1)] = 0.0,
        correction: Annotated[float, Range(min=0, max=1)] = 0.4,
        episodes: Annotated[int, Range(min=1)] = 20,
    ) -> None:
        super().__init__()
        self.task, self.outputs, self.actions = task, len(target.levels), target.levels
        self.random, self.solved, self.episodes = target.mean, target.std, episodes
        self.discount, self.twice, self.loss = discount, double, loss
        self.target_every, self.explore, self.explore_until = target_every, explore, explore_until
        self.experience = Replayed(replay, warm_up, every, n_step, priority, correction)
        self.second: Network | None = None
        self.register_buffer("updates", torch.tensor(0))

    def meet(self, network: Network) -> None:
        """Make the second network, equal to the first."""
        self.second = network.copy_of(self.task).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> DQN:
        """The second network never drops units out: what is learned should stand still."""
        super().train(mode)
        if self.second is not None:
            self.second.eval()
        return self

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """The loss of each row's difference, times its importance weight; divided by the rows, as Schaul's algorithm 1 has it."""
        table = view.network.tables[self.task]
        rows = batch[table]
        actions = rows.inputs["played/actions"].unsqueeze(1)
        values = exact(view.outputs[self.task]).gather(1, actions).squeeze(1)
        targets = self.targets(view.network, table, rows)
        by_row = (huber_loss if self.loss == "huber" else mse_loss)(values, targets, reduction="none")
        weight = torch.full_like(by_row.sum(), len(rows))
        return Loss((by_row * rows.weights).sum(), weight, errors=(targets - values).detach())

    @torch.no_grad()
    def targets(self, network: Network, table: str, rows: Batch) -> Tensor:
        """[rows]: the discounted rewards and, unless the task ended there, what the state after them is worth."""
        assert self.second is not None, "the objective has not met its network"
        following = {table: replace(rows, inputs={"numbers": rows.inputs["played/following"]})}
        valued = exact(self.second.view(following).outputs[self.task])
        best = self.greedy(network.view(following).outputs[self.task] if self.twice else valued)
        worth = valued.gather(1, best.unsqueeze(1)).squeeze(1)
        rewards, lengths = rows.inputs["played/rewards"], rows.inputs["played/lengths"]
        powers = self.discount ** torch.arange(rewards.shape[1], device=rewards.device, dtype=rewards.dtype)
        going = ~rows.inputs["played/terminated"]
        return (rewards * powers).sum(1) + going * self.discount ** lengths.to(rewards.dtype) * worth

    def after_step(self, network: Network) -> None:
        """Copy to the second network, every so many updates."""
        self.updates += 1
        if int(self.updates) % self.target_every == 0:
            assert self.second is not None, "the objective has not met its network"
            self.second.load_state_dict(network.state_of(self.task))

    def choose(self, outputs: Tensor, chance: Tensor, done: float) -> Tensor:
        """The best action, or, as often as it explores, any."""
        explore = 1 - (1 - self.explore) * min(1.0, done / self.explore_until)
        anything = (chance[:, 1] * self.outputs).long()
        return torch.where(chance[:, 0] < explore, anything, self.greedy(outputs))

    def greedy(self, outputs: Tensor) -> Tensor:
        """The action of the highest value."""
        return outputs.argmax(1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>` is the best action; `<task>_value_<action>` what each is worth."""
        values = exact(outputs).cpu().numpy()
        best = np.array(self.actions, dtype=object)[values.argmax(1)]
        return {self.task: best, **{f"{self.task}_value_{name}": values[:, i] for i, name in enumerate(self.actions)}}
