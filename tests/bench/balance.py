"""A balanced step against the plain summed one: forward + backward + weights + AdamW on both sides, in pairs.

    python tests/bench/balance.py [--threads 1] [--pairs 30] [--clock wall] [--methods pcgrad,mgda]

Every Gramian method in `last_layer` at K = 2, 10, 40, with torchjd and K sequential backward passes in the same run; then
`parameters` at K = 10 against those K passes alone. `agreement` is measured every 50 steps by default and costs K backwards
then; its price, spread over 50 steps, is printed too. On a machine with other work `--clock cpu` counts the thread's own time.
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
from polygraft.core.catalogue import catalogue

PEERS = {"pcgrad": PCGrad, "mgda": MGDA}
METHODS = [name for name in catalogue("balancing").names(needs="gramian", modes="last_layer") if name != "torchjd"]
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}
SIZES = [(kind, rows, tasks) for kind, rows in (("mlp", 256), ("cnn", 128)) for tasks in (2, 10, 40)]


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


class Bare(Contender):
    """K sequential backward passes, one a task, and nothing made of them."""

    def step(self) -> None:
        features = self.network.layer(self.inputs)[2]
        parameters = list(self.network.parameters())
        for loss in self.losses([features] * len(self.targets)):
            found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient
        self.optimizer.step()


class Ours(Contender):
    def __init__(
        self, network: Mlp, inputs: Tensor, targets: Tensor, method: str, *, mode: str = "last_layer", every: int = 0
    ) -> None:
        super().__init__(network, inputs, targets)
        self.tasks, self.mode = [f"task{k}" for k in range(len(targets))], mode
        self.steps = 0
        self.engine = Gradients(
            registry.make(method, tasks=len(targets), names=tuple(self.tasks)),
            mode=mode,
            tasks=self.tasks,
            shared=[*self.network.trunk.parameters(), *self.network.last.parameters()],
            own={task: list(head.parameters()) for task, head in zip(self.tasks, self.network.heads, strict=True)},
            shards=Shards(1),
            seed=0,
            agreement_every=every,
        )

    def tape(self) -> Tape:
        a, z, features = self.network.layer(self.inputs)
        ones = dict.fromkeys(self.tasks, 1.0)
        if self.mode == "parameters":
            return Tape(dict(zip(self.tasks, self.losses([features] * len(self.tasks)), strict=True)), ones)
        leaves = [features.detach().requires_grad_() for _ in self.tasks]
        losses = dict(zip(self.tasks, self.losses(leaves), strict=True))
        return Tape(
            losses, ones, Cut((features,), {t: (leaf,) for t, leaf in zip(self.tasks, leaves, strict=True)}, a, z)
        )

    def step(self) -> None:
        first, *others = [self.tape() for _ in range(self.engine.batches_of(self.steps))]
        self.measured = self.engine.backward([first], self.steps, independent=[[each] for each in others])
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


class Watch:
    """What is timed, and by which clock."""

    clock: Callable[[], float] = staticmethod(time.perf_counter)


def seconds(step: Callable[[], None]) -> float:
    start = Watch.clock()
    step()
    return Watch.clock() - start


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


def begun(kind: str, rows: int, tasks: int) -> tuple[Mlp, Tensor, Tensor]:
    torch.manual_seed(0)
    network = {"mlp": Mlp, "cnn": Cnn}[kind](tasks)
    return network, torch.randn(rows, *network.shape), torch.randn(tasks, rows)


def peers(kind: str, rows: int, tasks: int, pairs: int) -> str:
    made = begun(kind, rows, tasks)
    plain, few = Plain(*made), max(3, pairs // (2 + tasks))
    theirs = {name: ratio(Peer(*made, name).step, plain.step, few)[0] for name in PEERS}
    bare = ratio(Bare(*made).step, plain.step, few)[0]
    told = ", ".join(f"{name} {times:.1f}x" for name, times in theirs.items())
    return f"peers          {made[0].label}  batch {rows}  K={tasks}  torchjd {told}; {tasks} backward passes {bare:.1f}x plain"


def compare(kind: str, rows: int, tasks: int, method: str, pairs: int) -> str:
    made = begun(kind, rows, tasks)
    plain, ours = Plain(*made), Ours(*made, method)
    mine, mine_s, plain_s = ratio(ours.step, plain.step, pairs)
    return (
        f"balanced step  {made[0].label}  batch {rows}  K={tasks}  {method} last_layer  {mine:.2f}x plain  "
        f"({mine_s * 1e3:.1f} ms / {plain_s * 1e3:.1f} ms, {pairs} pairs)"
    )


def measuring(kind: str, rows: int, tasks: int, pairs: int) -> str:
    made = begun(kind, rows, tasks)
    plain, ours = Plain(*made), Ours(*made, "mgda", every=1)
    dear = ratio(ours.step, plain.step, max(3, pairs // 4))[0]
    usual = ratio(Ours(*made, "mgda").step, plain.step, pairs)[0]
    found = ours.measured.agreement.get("correlation", ours.measured.agreement.get("signs", float("nan")))
    return (
        f"agreement      {made[0].label}  batch {rows}  K={tasks}  {found:.2f}, measured every 50 steps "
        f"{usual + (dear - usual) / 50:.2f}x plain"
    )


def exact(kind: str, rows: int, tasks: int, method: str, pairs: int) -> str:
    made = begun(kind, rows, tasks)
    ours, few = Ours(*made, method, mode="parameters"), max(5, pairs // 3)
    bare, mine_s, bare_s = ratio(ours.step, Bare(*made).step, few)
    theirs = ratio(Peer(*made, method).step, ours.step, few)[0]
    return (
        f"exact step     {made[0].label}  batch {rows}  K={tasks}  {method} parameters  {bare:.2f}x of {tasks} bare passes  "
        f"({mine_s * 1e3:.1f} ms / {bare_s * 1e3:.1f} ms, {few} pairs)  {theirs:.2f}x faster than torchjd"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--methods", default=",".join(METHODS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    Watch.clock = staticmethod(CLOCKS[arguments.clock])
    print(
        f"# torch {torch.__version__}, {arguments.threads} threads, {platform.machine()}, one process, one shard, "
        f"{arguments.clock} clock"
    )
    for size in SIZES:
        print(peers(*size, arguments.pairs), flush=True)
        for method in arguments.methods.split(","):
            print(compare(*size, method, arguments.pairs), flush=True)
        print(measuring(*size, arguments.pairs), flush=True)
    for kind, rows in (("mlp", 256), ("cnn", 128)):
        for method in PEERS:
            print(exact(kind, rows, 10, method, arguments.pairs), flush=True)


if __name__ == "__main__":
    main()
