"""Steps of an environment a second: our DQN and the loop of CleanRL's dqn.py (Huang et al. 2022), same network and settings.

    python tests/bench/environment_steps.py [--pairs 5] [--steps 2000]

Both play CartPole-v1 and learn from 128 replayed rows after every 10 steps, as CleanRL does: one network of 120 and 84 units and its
copy, squared error, Adam. Its loop is written out below as published (one environment in a SyncVectorEnv with its episode statistics,
its replay of numpy arrays), without its logging. Ours is a suite: stream, replay, engine, step; once with one instance, played 10 times
before each update, once with 10 instances, played once. Pairs are interleaved; ratios are medians of pairs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import nn

from polygraft.assembly.experiments import experiment
from polygraft.assembly.tables import prepare_tables
from polygraft.suite.load import read
from polygraft.suite.origin import Origin

EVERY, BATCH, BUFFER, WARM_UP = 10, 128, 10_000, 500


class CleanRL:
    """The loop of https://github.com/vwxyzjn/cleanrl/blob/master/cleanrl/dqn.py, step by step."""

    def __init__(self) -> None:
        def make() -> gymnasium.Env:
            return gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("CartPole-v1"))

        same_step = gymnasium.vector.AutoresetMode.SAME_STEP
        self.envs = gymnasium.vector.SyncVectorEnv([make], autoreset_mode=same_step)
        self.network, self.target = _network(), _network()
        self.target.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=2.5e-4)
        self.seen, self.next = (np.zeros((BUFFER, 4), np.float32) for _ in range(2))
        self.actions = np.zeros((BUFFER, 1), np.int64)
        self.rewards, self.dones = (np.zeros((BUFFER, 1), np.float32) for _ in range(2))
        self.step, self.chance = 0, np.random.default_rng(1)
        self.now, _ = self.envs.reset(seed=1)

    def run(self, steps: int) -> None:
        """So many steps of the environment."""
        for _ in range(steps):
            if self.chance.random() < 0.05:
                actions = np.array([self.envs.single_action_space.sample()])
            else:
                actions = torch.argmax(self.network(torch.Tensor(self.now)), dim=1).numpy()
            following, rewards, terminations, truncations, infos = self.envs.step(actions)
            real = following.copy()
            for at, ended in enumerate(truncations | terminations):
                if ended:
                    real[at] = infos["final_obs"][at]
            self._keep(real, actions, rewards, terminations)
            self.now, self.step = following, self.step + 1
            if self.step > WARM_UP:
                if self.step % EVERY == 0:
                    self._learn()
                if self.step % 500 == 0:
                    for mine, yours in zip(self.target.parameters(), self.network.parameters(), strict=True):
                        mine.data.copy_(yours.data)

    def _keep(self, following: np.ndarray, actions: np.ndarray, rewards: np.ndarray, dones: np.ndarray) -> None:
        at = self.step % BUFFER
        self.seen[at], self.next[at], self.actions[at] = self.now, following, actions
        self.rewards[at], self.dones[at] = rewards, dones

    def _learn(self) -> None:
        rows = self.chance.integers(0, min(self.step, BUFFER), BATCH)
        seen, following, actions, rewards, dones = map(
            torch.from_numpy,
            (self.seen[rows], self.next[rows], self.actions[rows], self.rewards[rows], self.dones[rows]),
        )
        with torch.no_grad():
            best, _ = self.target(following).max(dim=1)
            targets = rewards.flatten() + 0.99 * best * (1 - dones.flatten())
        loss = nn.functional.mse_loss(targets, self.network(seen).gather(1, actions).squeeze())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def _network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 2))


def ours(instances: int, home: Path) -> Callable[[int], None]:
    """The same as a suite: what takes so many steps of the environment."""
    objective = {
        "name": "dqn",
        "double": False,
        "loss": "mse",
        "warm_up": WARM_UP,
        "replay": BUFFER,
        "target_every": 50,
    }
    raw = {
        "suite": "bench",
        "data": {"pole": {"source": {"environment": "CartPole-v1", "instances": instances}}},
        "backbone": {"name": "mlp", "widths": [120, 84]},
        "tasks": {
            "balance": {"data": "pole", "objective": {**objective, "every": EVERY // instances, "explore": 0.05}}
        },
        "train": {
            "steps": 10_000_000,
            "batch_size": BATCH,
            "shards": 1,
            "optimizer": {"name": "adamw", "lr": 2.5e-4, "weight_decay": 0.0},
        },
    }
    suite = read(raw, Origin("suite.yaml", home, {}))
    running = experiment(suite, prepare_tables(suite, home / "cache"))
    state = running.state(None)

    def run(steps: int) -> None:
        for _ in range(steps // EVERY):
            running.step.update(state, running.stream)

    return run


def main() -> None:
    """Print steps a second and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ways = {"CleanRL's loop": CleanRL().run} | {f"ours, {n} at once": ours(n, Path(folder)) for n in (1, 10)}
        for run in ways.values():
            run(1_000)  # warm up: the replay, caches, the optimiser
        wall: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(given.pairs):
            for name, run in ways.items():
                began, used = time.perf_counter(), time.process_time()
                run(given.steps)
                wall[name].append(given.steps / (time.perf_counter() - began))
                cpu[name].append(given.steps / (time.process_time() - used))
    base = next(iter(ways))
    for name in ways:
        ratio, ratio_cpu = (statistics.median(np.array(of[name]) / np.array(of[base])) for of in (wall, cpu))
        print(
            f"environment steps  dqn  CartPole-v1  {name:<16} {ratio:5.2f}x CleanRL's loop  ({ratio_cpu:.2f}x by CPU time)  "
            f"{statistics.median(wall[name]):,.0f} steps/s  ({given.pairs} pairs of {given.steps:,})"
        )


if __name__ == "__main__":
    main()
