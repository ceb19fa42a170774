"""The toy landscape of CAGrad and Nash-MTL: two losses of two numbers, Adam 1e-3, the five published starts.

    python tests/bench/landscape.py [--steps 100000] [--picture docs/balancing/landscape.svg]

Liu et al. 2021 (https://arxiv.org/abs/2110.14048), appendix A, and Navon et al. 2022 (https://arxiv.org/abs/2202.01017),
figure 1, where the first loss counts a tenth. Above x_2 = 0 both losses have a steep valley each, below it a bowl each, at
(7, -8) and (-7, -8); between those two points lies the Pareto front. Printed for each method and start, with equal scales and
with the first loss at a tenth: after how many thousand steps it is there (`69k`), or how far off it ends.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from math import cosh, hypot, log, sqrt, tanh
from pathlib import Path

import torch
from torch import Tensor

from polygraft.balancing import registry
from polygraft.balancing.base import Weighting
from polygraft.balancing.collectives import Shards
from polygraft.balancing.modes.setup import Totals
from polygraft.balancing.modes.step_gradients import StepGradients
from polygraft.core.catalogue import catalogue

STARTS = ((-8.5, 7.5), (0.0, 0.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0))
SCALES = (1.0, 0.1)
NEAR = 0.1  # from the front, whose ends are 14 apart
EVERY = 100  # steps from one point of a way to the next
LIFT = 25.0  # added to both losses: some methods want them positive

Point = tuple[float, float]


def losses(x: Point) -> Point:
    """Both, as published but for LIFT."""
    return tuple(value + LIFT for value, _ in _both(x))  # type: ignore[return-value]


def gradients(x: Point) -> list[Point]:
    """Of both losses."""
    return [gradient for _, gradient in _both(x)]


def _both(x: Point) -> list[tuple[float, Point]]:
    """Each loss with its gradient."""
    above, below = max(tanh(x[1] / 2), 0.0), max(tanh(-x[1] / 2), 0.0)
    turn = 0.5 / cosh(x[1] / 2) ** 2
    rise, fall = (turn if x[1] >= 0 else 0.0), (-turn if x[1] <= 0 else 0.0)
    found = []
    for sign in (1, -1):
        ditch = -0.5 * x[0] - sign * (3.5 - tanh(x[1]))
        steep = 0.0 if abs(ditch) < 5e-6 else 1 / ditch
        valley, across, along = log(max(abs(ditch), 5e-6)) + 6, -0.5 * steep, sign * steep / cosh(x[1]) ** 2
        bowl = ((7 * sign - x[0]) ** 2 + 0.1 * (x[1] + 8) ** 2) / 10 - 20
        gradient = (
            across * above - (7 * sign - x[0]) / 5 * below,
            along * above + valley * rise + (x[1] + 8) / 50 * below + bowl * fall,
        )
        found.append((valley * above + bowl * below, gradient))
    return found


def descend(method: str, start: Point, *, scale: float, steps: int, lr: float) -> list[Point]:
    """The way of Adam along the method's steps, every hundredth point, until it is at the front. scale: what the first loss counts."""
    balancer = registry.make(method, tasks=2)
    assert isinstance(balancer, Weighting)
    point, mean, square, way = list(start), [0.0, 0.0], [0.0, 0.0], [start]
    for step in range(1, steps + 1):
        weights, slopes = _weigh(balancer, step, _both((point[0], point[1])), scale)
        for k in range(2):
            slope = weights[0] * slopes[0][k] + weights[1] * slopes[1][k]
            mean[k] += 0.1 * (slope - mean[k])
            square[k] += 0.001 * (slope * slope - square[k])
            point[k] -= lr * mean[k] / (1 - 0.9**step) / (sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
        if step % EVERY == 0:
            way.append((point[0], point[1]))
            if arrived(way):
                break
    return way


def _weigh(
    balancer: Weighting, step: int, both: list[tuple[float, Point]], scale: float
) -> tuple[list[float], list[Point]]:
    factors = (scale, 1.0)
    slopes = [(factor * g[0], factor * g[1]) for factor, (_, g) in zip(factors, both, strict=True)]
    values = tuple(factor * (value + LIFT) for factor, (value, _) in zip(factors, both, strict=True))

    def gramian() -> Tensor:
        inner = [[a[0] * b[0] + a[1] * b[1] for b in slopes] for a in slopes]
        return torch.tensor(inner, dtype=torch.float64)

    shown = StepGradients(Totals(step, ("1", "2"), (0, 1), values, (1.0, 1.0)), 0, Shards(1), gramian=gramian)
    return balancer.weigh(shown).tolist(), slopes


def off(point: Point) -> float:
    """How far from the front: from (-7, y) to (7, y) with y between -8.45 and -8.3, where a bowl times tanh is least in x_2."""
    return hypot(max(abs(point[0]) - 7, 0.0), max(-8.45 - point[1], point[1] + 8.3, 0.0))


def arrived(way: Sequence[Point]) -> bool:
    """Whether a way ends at the front."""
    return off(way[-1]) < NEAR


METHODS = ("equal", *(name for name in catalogue("balancing").names(needs="gramian", batches=1) if name != "torchjd"))
SIDE, CELLS, SPAN = 180, 45, 11.0  # of a panel in pixels, of its heat map in cells; the landscape is -SPAN to SPAN


def picture(ways: dict[str, list[list[Point]]]) -> str:
    """A panel for each method: the mean loss in grey, the ways from the five starts, the front."""
    columns = 5
    height = -(-len(ways) // columns) * (SIDE + 24)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * (SIDE + 8)} {height}" font-family="sans-serif" '
        'font-size="12"><title>Ways of balancing methods over the landscape of CAGrad and Nash-MTL</title>',
        f'<symbol id="land" width="{SIDE}" height="{SIDE}">{_land()}</symbol>',
    ]
    for number, (method, lines) in enumerate(ways.items()):
        left, top = number % columns * (SIDE + 8), number // columns * (SIDE + 24)
        there = sum(map(arrived, lines))
        parts.append(f'<g transform="translate({left} {top})"><text y="12">{method}: {there} of {len(lines)}</text>')
        parts.append('<g transform="translate(0 18)"><use href="#land"/>')
        for way, colour in zip(lines, ("#d33", "#38c", "#e90", "#393", "#a3c"), strict=True):
            points = " ".join(_place(point) for point in way)
            x, y = _place(way[0]).split(",")
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
        parts.append("</g></g>")
    return "\n".join([*parts, "</svg>", ""])


def _place(point: Point) -> str:
    return ",".join(
        f"{(SPAN + sign * value) / (2 * SPAN) * SIDE:.1f}" for sign, value in zip((1, -1), point, strict=True)
    )


def _land() -> str:
    cell = SIDE / CELLS
    centres = [-SPAN + (k + 0.5) * 2 * SPAN / CELLS for k in range(CELLS)]
    values = [[sum(losses((x, y))) / 2 for x in centres] for y in reversed(centres)]
    low, high = min(map(min, values)), max(map(max, values))
    parts = []
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            grey = round(90 + 150 * (value - low) / (high - low))
            parts.append(
                f'<rect x="{j * cell:.1f}" y="{i * cell:.1f}" width="{cell + 0.3:.1f}" height="{cell + 0.3:.1f}" '
                f'fill="#{grey:02x}{grey:02x}{grey:02x}"/>'
            )
    ends = (_place((-7, -8.37)), _place((7, -8.37)))
    parts.append(f'<polyline points="{ends[0]} {ends[1]}" stroke="#fff" stroke-width="3"/>')
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    print(
        f"five starts, Adam {arguments.lr:g}, at most {arguments.steps:,} steps: thousands of steps to the Pareto front, or how far off it ends"
    )
    ways: dict[str, list[list[Point]]] = {}
    for method in arguments.methods:
        words = []
        for scale in SCALES:
            lines = [descend(method, start, scale=scale, steps=arguments.steps, lr=arguments.lr) for start in STARTS]
            ways.setdefault(method, lines)
            words.append(f"{scale:g} x first loss: " + _ends(lines))
        print(f"{method:<12} " + "   ".join(words), flush=True)
    if arguments.picture:
        arguments.picture.parent.mkdir(parents=True, exist_ok=True)
        arguments.picture.write_text(picture(ways), encoding="utf-8")


def _ends(lines: Sequence[Sequence[Point]]) -> str:
    return " ".join(
        f"{(len(way) - 1) * EVERY / 1000:4.0f}k" if arrived(way) else f"{off(way[-1]):5.2f}" for way in lines
    )


if __name__ == "__main__":
    main()
