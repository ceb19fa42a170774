"""Each way of sharing once more, plainly: numpy in float64, from the papers' equations, on an MLP with relu.

An oracle takes the sharing (for its weights alone), rows [rows, width], and whatever was drawn; it gives each task's features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np

from sharing_toy import TASKS

Array = np.ndarray
Oracle = Callable[..., dict[str, Array]]


def numbers(tensor: Any) -> Array:
    found: Array = tensor.detach().numpy()
    return found


def linear(layer: Any, x: Array) -> Array:
    bias = 0.0 if layer.bias is None else numbers(layer.bias)
    found: Array = x @ numbers(layer.weight).T + bias
    return found


def run(trunk: Any, x: Array, first: int = 0, last: int = 3) -> Array:
    for stage in range(first, last):
        x = np.maximum(linear(trunk.stages[stage].linear, x), 0)
    return x


def softmax(x: Array, axis: int = -1) -> Array:
    powers = np.exp(x - x.max(axis, keepdims=True))
    found: Array = powers / powers.sum(axis, keepdims=True)
    return found


def gated(gate: Any, x: Array, experts: list[Array]) -> Array:
    found: Array = np.einsum("re,erw->rw", softmax(linear(gate.linear, x)), np.stack(experts))
    return found


def hard(way: Any, x: Array) -> dict[str, Array]:
    return dict.fromkeys(TASKS, run(way.trunk, x))


def side_by_side(experts: Any, x: Array) -> tuple[Array, list[Array], dict[str, list[Array]]]:
    """What they read, what the shared ones give, and what each task's own do."""
    first = experts.from_stage
    x = run(experts.below, x, 0, first) if first else x
    own = {task: [run(expert, x, first) for expert in experts.own[task]] for task in TASKS}
    return x, [run(expert, x, first) for expert in experts.shared], own


def mmoe(way: Any, x: Array) -> dict[str, Array]:
    x, experts, _ = side_by_side(way.experts, x)
    return {task: gated(way.gates[task], x, experts) for task in TASKS}


def cgc(way: Any, x: Array) -> dict[str, Array]:
    x, shared, own = side_by_side(way.experts, x)
    return {task: gated(way.gates[task], x, [*own[task], *shared]) for task in TASKS}


def ple(way: Any, x: Array) -> dict[str, Array]:
    """Level by level, every gate in its turn: nothing of where the cut is."""
    edges = way.edges
    reads = dict.fromkeys((*TASKS, "shared"), x)
    for level, (first, last) in enumerate(pairwise(edges)):
        own = {task: [run(expert, reads[task], first, last) for expert in way.own[task]] for task in TASKS}
        shared = [run(expert, reads["shared"], first, last) for expert in way.shared]
        then = {task: gated(way.gates[task][level], reads[task], [*own[task], *shared]) for task in TASKS}
        if level < len(edges) - 2:
            everybody = [each for task in TASKS for each in own[task]]
            then["shared"] = gated(way.mixers[level], reads["shared"], [*everybody, *shared])
        reads = then
    return reads


def cross_stitch(way: Any, x: Array) -> dict[str, Array]:
    last = np.stack([numbers(way.last[task].alpha) for task in TASKS])
    now = np.stack([x] * len(TASKS))
    for stage, alpha in enumerate([*map(numbers, way.units), last]):
        given = np.stack([run(trunk, each, stage, stage + 1) for trunk, each in zip(way.trunks, now, strict=True)])
        now = np.einsum("kjw,jrw->krw", np.broadcast_to(alpha, (*alpha.shape[:2], given.shape[2])), given)
    return dict(zip(TASKS, now, strict=True))


def dselect_k(way: Any, x: Array) -> dict[str, Array]:
    x, shared, _ = side_by_side(way.experts, x)
    experts = np.stack(shared)  # [experts, rows, width]
    found = {}
    for task in TASKS:
        gate = way.gates[task]
        selected, bits = gate.shape
        read = np.ones((len(x), 1)) if gate.reads is None else np.concatenate([x, np.ones((len(x), 1))], 1)
        z, shares = linear(gate.z, read).reshape(-1, selected, bits), np.ones((len(x), selected))
        if selected > 1:
            shares = softmax(linear(gate.w, read))
        total = np.zeros(experts.shape[1:])
        for i, (number, code) in product(range(selected), enumerate(product((0, 1), repeat=bits))):
            chosen = np.prod([step(z[:, i, b], gate.gamma) if one else 1 - step(z[:, i, b], gate.gamma) for b, one in enumerate(code)], 0)  # fmt: skip
            total += (shares[:, i] * chosen)[:, None] * experts[number]
        found[task] = total
    return found


def step(t: Array, gamma: float) -> Array:
    """The paper's smooth step, by its three cases."""
    cubic = -2 / gamma**3 * t**3 + 3 / (2 * gamma) * t + 0.5
    found: Array = np.where(t <= -gamma / 2, 0.0, np.where(t >= gamma / 2, 1.0, cubic))
    return found


def mtan(way: Any, x: Array) -> dict[str, Array]:
    found = {}
    for task in TASKS:
        p, kept = x, None
        for stage, attention in enumerate(way.attention[task]):
            p = run(way.trunk, p, stage, stage + 1)
            seen = p
            if kept is not None:
                carried = np.maximum(layer_norm(attention.carry_norm, linear(attention.carry, kept)), 0)
                seen = np.concatenate([p, carried], 1)
            g = np.maximum(layer_norm(attention.mask[1], linear(attention.mask[0], seen)), 0)
            a = 1 / (1 + np.exp(-layer_norm(attention.mask[4], linear(attention.mask[3], g))))
            kept = a * p
        assert kept is not None
        found[task] = kept
    return found


def layer_norm(norm: Any, x: Array) -> Array:
    centred = x - x.mean(1, keepdims=True)
    found: Array = centred / np.sqrt((centred**2).mean(1, keepdims=True) + norm.eps)
    return found * numbers(norm.weight) + numbers(norm.bias)


def ltb(way: Any, x: Array, noise: list[Array] | None = None) -> dict[str, Array]:
    """noise: Gumbel, of each stage's choices but the first's and then of each task's; None takes the likeliest branches."""

    def shares(number: int, choice: Any) -> Array:
        theta = numbers(choice.theta) * way.speed
        if noise is None:
            one_hot: Array = np.eye(theta.shape[1])[theta.argmax(1)]
            return one_hot
        return softmax((theta + noise[number]) / way.temperature)

    given = np.stack([run(trunk, x, 0, 1) for trunk in way.trunks])
    for stage, choice in enumerate(way.parents):
        mixtures = np.einsum("cp,prw->crw", shares(stage, choice), given)
        given = np.stack([run(t, each, stage + 1, stage + 2) for t, each in zip(way.trunks, mixtures, strict=True)])
    ends = {task: shares(len(way.parents) + k, way.ends[task]) for k, task in enumerate(TASKS)}
    return {task: np.einsum("cp,prw->crw", each, given)[0] for task, each in ends.items()}


ORACLES: Mapping[str, Oracle] = {
    each.__name__: each for each in (hard, mmoe, cgc, ple, cross_stitch, dselect_k, mtan, ltb)
}
