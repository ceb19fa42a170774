"""Softmax and Sigmoid: what logits say of classes that exclude each other, and of labels that don't."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from polygraft.objectives.metrics import classes


class Likelihood(ABC):
    """How logits [rows, size] become probabilities and losses. Targets are as a batch holds them."""

    @abstractmethod
    def losses(self, logits: Tensor, targets: Tensor, balance: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """Cross-entropy [rows] in nats, times the class weights in it, and those weights [rows]; sums of both make a mean."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """[rows, size]."""

    @abstractmethod
    def known(self, targets: Tensor) -> Tensor:
        """Bool [rows, size]: what is true."""

    @abstractmethod
    def f1(self, probabilities: Tensor, known: Tensor) -> float | None:
        """The mean over what occurs; None where nothing does."""

    @abstractmethod
    def right(self, probabilities: Tensor, known: Tensor) -> Tensor:
        """Float64 [rows]: 1 where the prediction is right; of labels, the share that is."""

    @abstractmethod
    def entropy(self, shares: Tensor) -> float:
        """The log loss of predicting `shares` [size], each class's or label's weighted share of the rows, everywhere."""


class Softmax(Likelihood):
    """Classes that exclude each other: targets are codes [rows]; balance holds a weight a class, [size]."""

    def __init__(self, size: int) -> None:
        self.size = size

    def losses(self, logits: Tensor, targets: Tensor, balance: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        codes = targets.long()
        factors = balance[codes]
        return cross_entropy(logits, codes, reduction="none", label_smoothing=smoothing) * factors, factors

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)

    def known(self, targets: Tensor) -> Tensor:
        return one_hot(targets.long(), self.size).bool()

    def f1(self, probabilities: Tensor, known: Tensor) -> float | None:
        return classes.f1_macro(probabilities.argmax(1), known.int().argmax(1), self.size)

    def right(self, probabilities: Tensor, known: Tensor) -> Tensor:
        return (probabilities.argmax(1) == known.int().argmax(1)).double()

    def entropy(self, shares: Tensor) -> float:
        return float(torch.special.entr(shares).sum())


class Sigmoid(Likelihood):
    """Labels that are each there or not: targets 0 or 1, [rows] or [rows, size]; balance holds each label's for no and yes, [size, 2]."""

    def losses(self, logits: Tensor, targets: Tensor, balance: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        wanted = _columns(targets).to(logits.dtype)
        factors = balance[:, 0] + wanted * (balance[:, 1] - balance[:, 0])
        smooth = wanted * (1 - smoothing) + smoothing / 2
        rows = binary_cross_entropy_with_logits(logits, smooth, reduction="none")
        return (rows * factors).mean(1), factors.mean(1)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def known(self, targets: Tensor) -> Tensor:
        return _columns(targets).bool()

    def f1(self, probabilities: Tensor, known: Tensor) -> float | None:
        return classes.f1_binary(probabilities > 0.5, known)

    def right(self, probabilities: Tensor, known: Tensor) -> Tensor:
        return ((probabilities > 0.5) == known).double().mean(1)

    def entropy(self, shares: Tensor) -> float:
        return float((torch.special.entr(shares) + torch.special.entr(1 - shares)).mean())


def _columns(targets: Tensor) -> Tensor:
    """[rows, size], also of one label's [rows]."""
    return targets.reshape(len(targets), -1)
