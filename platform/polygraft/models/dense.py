"""Dense: a linear layer with what usually follows it, a stage of MLP trunks and heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch import nn

from polygraft.core.features import Features

Activation = Literal["relu", "gelu", "silu"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


class Dense(nn.Module):
    """Linear, LayerNorm where asked, activation, dropout where asked; the vector [rows, width_in] -> [rows, width_out].

    None of them works in place: `linear`'s output is what the `last_layer` mode differentiates by.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        norm: bool = False,
        activation: Activation = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(width_in, width_out)
        then: list[nn.Module] = [nn.LayerNorm(width_out)] if norm else []
        then.append(ACTIVATIONS[activation]())
        then += [nn.Dropout(dropout)] if dropout else []
        self.then = nn.Sequential(*then)

    def forward(self, features: Features) -> Features:
        """The features with another vector."""
        assert features.vector is not None, "a dense layer reads a vector"
        return replace(features, vector=self.then(self.linear(features.vector)))
