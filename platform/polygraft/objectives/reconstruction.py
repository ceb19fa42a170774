"""Units: what of a row can be given back, and what each costs, for objectives that learn from inputs alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from polygraft.core.batch import Input, Inputs
from polygraft.core.errors import fault


class Units(nn.Module):
    """A row's units, one after the other: its numbers, its categories, its pixels from 0 (black) to 1 (white).

    bernoulli: pixels are shares of light, given back as logits; else values, as numbers are.
    units: how many. normal: bool [units], those that are given back as values and cost a squared error. size: of what gives them back: a value a number, a logit a level of each category, a value a pixel.
    Raises UserError for inputs of another kind, and where there are none.
    """

    black: Tensor
    range: Tensor
    normal: Tensor

    def __init__(self, inputs: Inputs, bernoulli: bool = False) -> None:
        super().__init__()
        refuse_unreadable(inputs, "numbers", "categories", "image")
        self.images, self.bernoulli = inputs.others, bernoulli
        self.numbers, self.levels = inputs.numbers, inputs.categories
        self.pixels = sum(math.prod(shape_of(each)) for each in self.images)
        if bernoulli and not self.pixels:
            raise fault("pixels: bernoulli is of images, and the table has none. Take squared.")
        self.units = self.numbers + len(self.levels) + self.pixels
        self.size = self.numbers + sum(self.levels) + self.pixels
        kinds = [1] * self.numbers + [0] * len(self.levels) + [int(not bernoulli)] * self.pixels
        self.register_buffer("normal", torch.tensor(kinds, dtype=torch.bool), persistent=False)
        ends = [_ends(each) for each in self.images]
        black = torch.cat([low for low, _ in ends]) if ends else torch.empty(0)
        white = torch.cat([high for _, high in ends]) if ends else torch.empty(0)
        self.register_buffer("black", black)
        self.register_buffer("range", white - black)

    def wanted(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Float32 [rows, units]: what should be given back; of a category its level's number."""
        parts = [inputs["numbers"]] if self.numbers else []
        parts += [inputs["categories"].float()] if self.levels else []
        if self.images:
            flat = torch.cat([inputs[each.name].flatten(1) for each in self.images], 1)
            parts.append((flat - self.black) / self.range)
        return torch.cat([each.float() for each in parts], 1)

    def inputs(self, units: Tensor, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inputs whose units are these [rows, units]; the inverse of `wanted`."""
        numbers, codes, pixels = units.split([self.numbers, len(self.levels), self.pixels], 1)
        found = dict(inputs)
        if self.numbers:
            found["numbers"] = numbers
        if self.levels:
            found["categories"] = codes.round().to(inputs["categories"].dtype)
        flat = (pixels * self.range + self.black).split([math.prod(shape_of(each)) for each in self.images], 1)
        return found | {
            each.name: some.unflatten(1, shape_of(each)) for each, some in zip(self.images, flat, strict=True)
        }

    def losses(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """[rows, units]: squared errors of numbers; cross-entropies in nats of categories, and of pixels that are shares."""
        values, logits, light = self.parts(outputs)
        numbers, codes, pixels = wanted.split([self.numbers, len(self.levels), self.pixels], 1)
        found = [(values - numbers).square()]
        found += [
            cross_entropy(some, codes[:, i].long(), reduction="none").unsqueeze(1)
            for i, some in enumerate(logits.split(list(self.levels), 1) if self.levels else ())
        ]
        if self.bernoulli:
            found.append(binary_cross_entropy_with_logits(light, pixels, reduction="none"))
        else:
            found.append((light - pixels).square())
        return torch.cat(found, 1)

    def given(self, outputs: Tensor) -> Tensor:
        """[rows, units]: what outputs [rows, size] give back, in the form of `wanted`: of a category its likeliest level."""
        values, logits, light = self.parts(outputs)
        codes = [
            some.argmax(1, keepdim=True).to(values.dtype)
            for some in (logits.split(list(self.levels), 1) if self.levels else ())
        ]
        return torch.cat([values, *codes, light.sigmoid() if self.bernoulli else light], 1)

    def parts(self, outputs: Tensor) -> tuple[Tensor, ...]:
        """Outputs of numbers, of categories, of pixels."""
        return outputs.split([self.numbers, sum(self.levels), self.pixels], 1)

    def constant(self, wanted: Tensor, weights: Tensor) -> Tensor:
        """[rows, units]: the losses of the best constant row on these rows."""
        whole = weights / weights.sum()
        mean, levels = whole @ wanted, wanted[:, self.numbers : self.numbers + len(self.levels)].long()
        losses = (wanted - mean).square()
        for i, size in enumerate(self.levels):
            shares = torch.zeros(size, dtype=wanted.dtype).index_add(0, levels[:, i], whole)
            losses[:, self.numbers + i] = -shares.clamp(min=1e-300).log()[levels[:, i]]
        if self.bernoulli:
            light, pixels = mean[-self.pixels :].clamp(0, 1), wanted[:, -self.pixels :]
            losses[:, -self.pixels :] = -torch.special.xlogy(pixels, light) - torch.special.xlogy(1 - pixels, 1 - light)
        return losses

    def scores(
        self, outputs: Tensor, wanted: Tensor, weights: Tensor, *, asked: Tensor | None = None
    ) -> dict[str, float]:
        """Means over rows and units: `mse` of numbers and pixels, `cross_entropy` of all else; improvement over the best constant row.

        asked: [rows, units], 1 where a unit counts and else 0; absent, all do.
        """
        counts = weights.unsqueeze(1) * (torch.ones_like(wanted) if asked is None else asked)
        squares = (self.given(outputs) - wanted).square()
        losses, constant = self.losses(outputs, wanted), self.constant(wanted, weights)
        normal, light = self.normal.to(wanted.device), torch.arange(self.units, device=wanted.device)
        values = normal | (light >= self.units - self.pixels)
        found = {"mse": _mean(squares, counts * values), "cross_entropy": _mean(losses, counts * ~normal)}
        usual = float((constant * counts).sum())
        if usual > 1e-9 * float(counts.sum()):
            found["improvement"] = 1 - float((losses * counts).sum()) / usual
        return {name: each for name, each in found.items() if each is not None}


def refuse_unreadable(inputs: Inputs, *kinds: str) -> None:
    """Raise UserError where a table's inputs are not all of these kinds, or there are none."""
    readable = " and ".join(kinds)
    if not inputs.kinds:
        raise fault("the table has no columns left to learn from: every one is a target, dropped or empty.")
    if other := next((kind for kind in inputs.kinds if kind not in kinds), None):
        name = next((each.name for each in inputs.others if each.kind == other), other)
        raise fault(f"it reads {readable}, and the table has {name}. Drop the column, or take another objective.")


def shape_of(image: Input) -> tuple[int, ...]:
    """(channels, height, width)."""
    return cast("tuple[int, ...]", image.shape)


def _ends(image: Input) -> tuple[Tensor, Tensor]:
    """What black and white are at each of an image's pixels [pixels]; 0 and 1 where nobody has said."""
    channels, *size = shape_of(image)
    low, high = image.black or (0.0,) * channels, image.white or (1.0,) * channels
    black, white = (torch.tensor(each).repeat_interleave(math.prod(size)) for each in (low, high))
    return black, white


def _mean(values: Tensor, weights: Tensor) -> float | None:
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total else None
