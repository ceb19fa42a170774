"""Reconstruction: what of a row can be given back, and what each unit of it costs, for objectives that learn from inputs alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from polygraft.core.batch import Input, Inputs
from polygraft.core.errors import fault


class Reconstruction(nn.Module):
    """A row's units, one after the other: its numbers, its categories, its pixels from 0 (black) to 1 (white).

    bernoulli: pixels are shares of light, given back as logits; else values, as numbers are.
    units: how many. size: of what gives them back: a value a number, a logit a level of each category, a value a pixel.
    Raises UserError for inputs of another kind, and where there are none.
    """

    black: Tensor
    range: Tensor

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
        """[units]: the mean loss of the best constant on these rows, whose weights sum to 1."""
        mean = weights @ wanted
        numbers, codes, pixels = ((wanted - mean).square().T @ weights).split(
            [self.numbers, len(self.levels), self.pixels]
        )
        shares = [
            torch.zeros(levels, dtype=wanted.dtype).index_add(0, wanted[:, self.numbers + i].long(), weights)
            for i, levels in enumerate(self.levels)
        ]
        codes = torch.stack([_entropy(each).sum() for each in shares]) if shares else codes
        if self.bernoulli:
            light = mean[self.numbers + len(self.levels) :].clamp(0, 1)
            pixels = _entropy(light) + _entropy(1 - light)
        return torch.cat([numbers, codes, pixels])

    def scores(self, outputs: Tensor, wanted: Tensor, weights: Tensor) -> dict[str, float]:
        """Means over rows and units: `mse` of numbers and pixels, `cross_entropy` of all else, and the improvement."""
        whole = weights / weights.sum()
        losses = whole @ self.losses(outputs, wanted)
        constant, given = self.constant(wanted, whole), self.given(outputs)
        values = [*range(self.numbers), *range(self.numbers + len(self.levels), self.units)]
        nats = [*range(self.numbers, self.units if self.bernoulli else self.numbers + len(self.levels))]
        found = {"mse": float((whole @ (given - wanted).square())[values].mean())} if values else {}
        found |= {"cross_entropy": float(losses[nats].mean())} if nats else {}
        return found | ({"improvement": float(1 - losses.sum() / constant.sum())} if constant.sum() > 1e-12 else {})


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


def _entropy(shares: Tensor) -> Tensor:
    return -torch.special.xlogy(shares, shares)
