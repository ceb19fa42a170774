"""Gate: how much of each expert a task takes, row by row, Ma et al. 2018 (https://doi.org/10.1145/3219819.3220007), section 4.2."""

from __future__ import annotations

from torch import Tensor, nn

from polygraft.core.errors import fault
from polygraft.core.features import Features, Offer
from polygraft.models.mixing import pooled

KINDS = ("vector", "sequence", "maps")


class Gate(nn.Module):
    """softmax(W x) over experts, without bias; x is the features, averaged over positions or pixels."""

    def __init__(self, offer: Offer, experts: int) -> None:
        super().__init__()
        self.offer = readable(offer)
        self.linear = nn.Linear(offer.width, experts, bias=False)

    def forward(self, features: Features) -> Tensor:
        """[experts, rows, 1], as `mixed` takes weights."""
        return self.linear(pooled(features, self.offer)).softmax(1).T.unsqueeze(2)  # type: ignore[no-any-return]


def readable(offer: Offer) -> Offer:
    """`offer`, which a gate can read. Raises UserError for features of another kind."""
    if offer.kind not in KINDS:
        raise fault(f"gates read {', '.join(KINDS)}, and what comes before them is a {offer.kind}. Take sharing: hard.")
    return offer
