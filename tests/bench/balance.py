"""A balanced step against the plain summed one: forward + backward + weights + AdamW on both sides, in pairs.

    python tests/bench/balance.py [--threads 1] [--pairs 60]

The peer is torchjd in the same run. `agreement` is measured every 50 steps by default and costs K backwards then; its
price, spread over 50 steps, is printed as a line of its own.
"""

from __future__ import annotations

import argparse
import copy
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchjd.aggregation import MGDA, PCGrad
from torchjd.autojac import jac_to_grad, mtl_backward

from polygraft.balancing import registry
from polygraft.balancing.gradients import Cut, Gradients, Shards, Tape

PEERS = {"pcgrad": PCGrad, "mgda": MGDA}


class Mlp(nn.Module):
    """256-512-512-512 and K linear heads of one output."""

    shape = (256,)
    label = "mlp 256-512x3"

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU())
        self.last = nn.Linear(512, 512)
        self.heads = nn.ModuleList(nn.Linear(512, 1) for _ in range(tasks))

    def layer(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a = self.trunk(inputs)
        z = self.last(a)
        return a, z, torch.relu(z)


class Cnn(Mlp):
    """Three convolutions on 3 x 32 x 32, a linear layer of 128, K linear heads."""

    shape = (3, 32, 32)
    label = "cnn 16-32-64-128"

    def __init__(self, tasks: int) -> None:
        nn.Module.__init__(self)
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        self.last = nn.Linear(1024, 128)
        self.heads = nn.ModuleList(nn.Linear(128, 1) for _ in range(tasks))


class Contender:
    """A network of its own with its own AdamW; `step` is what is timed."""

    def __init__(self, network: Mlp, inputs: Tensor, targets: Tensor) -> None:
        self.network = copy.deepcopy(network)
        self.inputs, self.targets = inputs, targets
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4, fused=True)

    def losses(self, features: list[Tensor]) -> list[Tensor]:
        outputs = (head(each)[:, 0] for head, each in zip(self.network.heads, features, strict=True))
        return [((output - target) ** 2).mean() for output, target in zip(outputs, self.targets, strict=True)]


class Plain(Contender):
    def step(self) -> None:
        features = self.network.layer(self.inputs)[2]
        self.optimizer.zero_grad()
        sum(self.losses([features] * len(self.targets))).backward()  # type: ignore[union-attr]
        self.optimizer.step()


class Ours(Contender):
    def __init__(self, network: Mlp, inputs: Tensor, targets: Tensor, method: str, every: int = 0) -> None:
        super().__init__(network, inputs, targets)
        self.tasks = [f"task{k}" for k in range(len(targets))]
        self.steps = 0
        self.engine = Gradients(
            registry.make(method, tasks=len(targets)),
            mode="last_layer",
            tasks=self.tasks,
            shared=[*self.network.trunk.parameters(), *self.network.last.parameters()],
            own={task: list(head.parameters()) for task, head in zip(self.tasks, self.network.heads, strict=True)},
            shards=Shards(1),
            seed=0,
            agreement_every=every,
        )

    def step(self) -> None:
        a, z, features = self.network.layer(self.inputs)
        leaves = [features.detach().requires_grad_() for _ in self.tasks]
        losses = dict(zip(self.tasks, self.losses(leaves), strict=True))
        aliases = {task: (leaf,) for task, leaf in zip(self.tasks, leaves, strict=True)}
        tape = Tape(losses, dict.fromkeys(self.tasks, 1.0), Cut((features,), aliases, a, z))
        self.measured = self.engine.backward([tape], self.steps)
        self.optimizer.step()
        self.steps += 1


class Peer(Contender):
    def __init__(self, network: Mlp, inputs: Tensor, targets: Tensor, method: str) -> None:
        super().__init__(network, inputs, targets)
        self.aggregator = PEERS[method]()

    def step(self) -> None:
        features = self.network.layer(self.inputs)[2]
        self.optimizer.zero_grad()
        mtl_backward(self.losses([features] * len(self.targets)), features=features)
        jac_to_grad([*self.network.trunk.parameters(), *self.network.last.parameters()], self.aggregator)
        self.optimizer.step()


def seconds(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def ratio(one: Callable[[], None], other: Callable[[], None], pairs: int) -> tuple[float, float, float]:
    """Median of the pairs' ratios, and both medians; the order within a pair alternates."""
    for _ in range(5):
        one(), other()
    found = []
    for i in range(pairs):
        if i % 2:
            second = seconds(other)
            found.append((seconds(one), second))
        else:
            first = seconds(one)
            found.append((first, seconds(other)))
    return (
        statistics.median(a / b for a, b in found),
        statistics.median(a for a, _ in found),
        statistics.median(b for _, b in found),
    )


def compare(kind: type[Mlp], rows: int, tasks: int, method: str, pairs: int) -> str:
    torch.manual_seed(0)
    network = kind(tasks)
    inputs, targets = torch.randn(rows, *kind.shape), torch.randn(tasks, rows)
    plain, ours = Plain(network, inputs, targets), Ours(network, inputs, targets, method)
    peer = Peer(network, inputs, targets, method)
    mine, mine_s, plain_s = ratio(ours.step, plain.step, pairs)
    theirs, _, _ = ratio(peer.step, plain.step, max(10, pairs // 4))
    measuring = Ours(network, inputs, targets, method, every=1)
    dear, _, _ = ratio(measuring.step, plain.step, max(10, pairs // 4))
    agreement = measuring.measured.agreement.get("correlation", measuring.measured.agreement.get("signs", float("nan")))
    return (
        f"balanced step  {kind.label}  batch {rows}  K={tasks}  {method} last_layer  {mine:.2f}x plain  "
        f"({mine_s * 1e3:.1f} ms / {plain_s * 1e3:.1f} ms, {pairs} pairs)  torchjd {theirs:.1f}x  agreement {agreement:.2f}, "
        f"measured every 50 steps {mine + (dear - mine) / 50:.2f}x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"# torch {torch.__version__}, {arguments.threads} threads, {platform.machine()}, one process, one shard")
    for kind, rows, tasks in [(Mlp, 256, 2), (Mlp, 256, 10), (Cnn, 128, 2), (Cnn, 128, 10)]:
        for method in PEERS:
            print(compare(kind, rows, tasks, method, arguments.pairs), flush=True)


if __name__ == "__main__":
    main()
