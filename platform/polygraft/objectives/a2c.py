"""Advantage actor-critic, Mnih et al. 2016 (https://arxiv.org/abs/1602.01783), algorithm S3, its workers in step; advantages as Schulman et al. 2016 (https://arxiv.org/abs/1506.02438), equation 16.

With `trace` 1 an advantage is the paper's: all rewards of the rollout and the value of the state after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from torch import Tensor

from polygraft.core.batch import Batch
from polygraft.core.catalogue import Range
from polygraft.data.rollouts import Rollouts
from polygraft.models.network import View
from polygraft.objectives.base import Loss, exact
from polygraft.objectives.policies import Acting

if TYPE_CHECKING:
    from polygraft.data.target import Target


class A2C(Acting):
    """A policy that does more often what turned out better than the value of the state said.

    discount: of a reward one step later. trace: 1 sums all rewards of a rollout, 0 trusts the value after one (lambda).
    value: the factor of the value's squared error. entropy: of the policy's entropy, which is held up.
    normalise: bring a shard's advantages to mean 0 and deviation 1.
    episodes: played greedily for each score.
    """

    default_head = "policy_value"
    learns_from = "rollout"

    def __init__(
        self,
        task: str,
        target: Target,
        /,
        discount: Annotated[float, Range(min=0, max=1)] = 0.99,
        trace: Annotated[float, Range(min=0, max=1)] = 1.0,
        value: Annotated[float, Range(min=0)] = 0.5,
        entropy: Annotated[float, Range(min=0)] = 0.01,
        normalise: bool = False,
        episodes: Annotated[int, Range(min=1)] = 20,
    ) -> None:
        super().__init__()
        self.task, self.outputs, self.actions = task, len(target.levels) + 1, target.levels
        self.random, self.solved, self.episodes = target.mean, target.std, episodes
        self.discount, self.trace, self.value, self.entropy = discount, trace, value, entropy
        self.normalise = normalise
        self.experience = Rollouts()

    def losses(self, view: View, batch: Mapping[str, Batch], player: str = "main") -> Loss:
        """The policy's loss, the value's and the entropy's, over the rows of a rollout."""
        table = view.network.tables[self.task]
        rows = batch[table]
        outputs = exact(view.outputs[self.task])
        logs, values = outputs[:, :-1].log_softmax(1), outputs[:, -1]
        with torch.no_grad():
            following = {table: replace(rows, inputs={"numbers": rows.inputs["played/following"]})}
            after = exact(view.network.view(following).outputs[self.task])[:, -1]
            gained = self.advantages(values.detach(), after, rows.inputs)
        wanted = gained + values.detach()
        if self.normalise:
            gained = (gained - gained.mean()) / (gained.std(correction=0) + 1e-8)
        taken = logs.gather(1, rows.inputs["played/actions"].unsqueeze(1)).squeeze(1)
        entropy = -(logs.exp() * logs).sum(1)
        by_row = -taken * gained + self.value * (wanted - values) ** 2 - self.entropy * entropy
        return Loss.over_rows(by_row, rows.weights)

    def advantages(self, values: Tensor, after: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """[rows] of values before and after each row; rows follow one another up to the next cut."""
        going = ~inputs["played/terminated"]
        deltas = inputs["played/rewards"] + going * self.discount * after - values
        gained, later = deltas.tolist(), 0.0
        for at, cut in reversed(list(enumerate(inputs["played/cut"].tolist()))):
            later = gained[at] + (0.0 if cut else self.discount * self.trace * later)
            gained[at] = later
        return torch.tensor(gained, dtype=values.dtype, device=values.device)

    def choose(self, outputs: Tensor, chance: Tensor, done: float) -> Tensor:
        """An action by its probability: where the running sum of them passes chance."""
        bounds = outputs[:, :-1].double().softmax(1).cumsum(1)[:, :-1]
        return (chance[:, :1] >= bounds).sum(1)

    def greedy(self, outputs: Tensor) -> Tensor:
        """The likeliest action."""
        return outputs[:, :-1].argmax(1)

    def predict(self, outputs: Tensor) -> dict[str, np.ndarray]:
        """`<task>` is the likeliest action, `<task>_probability_<action>` each one's, `<task>_value` what the state is worth."""
        found = exact(outputs)
        likely = found[:, :-1].softmax(1).cpu().numpy()
        best = np.array(self.actions, dtype=object)[likely.argmax(1)]
        shown = {f"{self.task}_probability_{name}": likely[:, i] for i, name in enumerate(self.actions)}
        return {self.task: best, **shown, f"{self.task}_value": found[:, -1].cpu().numpy()}
