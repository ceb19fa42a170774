"""Do trunks that read in order use it? Signals of ten kinds, ordered and with one shuffle of their points for all.

    python tests/bench/order.py [--steps 1000] [--seeds 0 1]

After MNIST-1D, Greydanus and Kobak 2020 (https://arxiv.org/abs/2011.14439): a kind is a curve of 12 points, which stands anywhere among 40,
larger or smaller, under noise. What is near what says something of the ordered signals and nothing of the shuffled ones; an MLP does not see the
difference. The paper has, ordered and shuffled: MLP 68 and 68 %, CNN 94 and 56 %, GRU 91 and 57 %.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, cross_entropy, interpolate

from polygraft.core.features import Features, Offer
from polygraft.models.trunks import registry

KINDS, POINTS, LENGTH, ROWS = 10, 12, 40, 1600
READ: dict[str, tuple[Offer, Callable[[Tensor], Features], dict[str, object], float]] = {
    "mlp": (Offer("vector", LENGTH), lambda x: Features(vector=x), {"widths": [100, 100]}, 0.003),
    "cnn": (
        Offer("maps", 1),
        lambda x: Features(maps=(x[:, None, None],)),
        {"widths": [24, 24, 24], "kernel": 5},
        0.003,
    ),
    "lstm": (
        Offer("sequence", 1),
        lambda x: Features(sequence=x[..., None], mask=torch.ones_like(x, dtype=torch.bool)),
        {"widths": [48], "bidirectional": True},
        0.01,
    ),
}
"""Each trunk: what it is offered, signals [rows, 40] in that form, its settings, its rate."""


def signals(seed: int) -> tuple[Tensor, Tensor]:
    """(float32 [ROWS, 40], the kind of each)."""
    chance = torch.Generator().manual_seed(seed)
    curves = torch.randn(KINDS, 6, generator=torch.Generator().manual_seed(99))
    curves = interpolate(curves[:, None], size=POINTS, mode="linear", align_corners=True)[:, 0] * 1.2
    kinds = torch.randint(0, KINDS, (ROWS,), generator=chance)
    place = torch.randint(0, LENGTH - POINTS + 1, (ROWS, 1), generator=chance) + torch.arange(POINTS)
    size = 0.6 + 0.8 * torch.rand(ROWS, 1, generator=chance)
    smooth = conv1d(torch.randn(ROWS, 1, LENGTH + 4, generator=chance), torch.full((1, 1, 5), 0.2))[:, 0]
    return (0.6 * smooth).scatter_add(1, place, curves[kinds] * size), kinds


def accuracy(name: str, shuffled: bool, steps: int, seed: int) -> float:
    """On a quarter of the rows, after so many batches of 100 of the others."""
    rows, kinds = signals(seed)
    if shuffled:
        rows = rows[:, torch.randperm(LENGTH, generator=torch.Generator().manual_seed(1))]
    offer, read, settings, rate = READ[name]
    torch.manual_seed(seed)
    trunk = registry.make(name, settings, offer=offer, width=offer.width)
    out = nn.Linear(trunk.offer.of("vector").width, KINDS)
    optimizer = torch.optim.Adam([*trunk.parameters(), *out.parameters()], lr=rate)
    count = 3 * ROWS // 4
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        some = torch.randint(0, count, (100,))
        loss = cross_entropy(out(trunk(read(rows[some])).vector), kinds[some])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trunk.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        said = out(trunk.eval()(read(rows[count:])).vector).argmax(1)
    return float((said == kinds[count:]).double().mean())


def main() -> None:
    """A line for each trunk: its accuracy ordered and shuffled, a mean over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    given = parser.parse_args()
    for name in READ:
        ordered, shuffled = (
            statistics.mean(accuracy(name, way, given.steps, seed) for seed in given.seeds) for way in (False, True)
        )
        print(f"order  {name:5} ordered {ordered:.3f}  shuffled {shuffled:.3f}", flush=True)


if __name__ == "__main__":
    main()
