"""The head of what is anywhere: the highest score over places, whatever the place; a mean where it is asked to be blunt."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from polygraft.core.features import Features, Offer
from polygraft.models.heads import registry


def head(**settings: object):
    torch.manual_seed(0)
    return registry.make("anywhere", {"layers": 0, **settings}, offer=Offer("maps", 3), size=4)


@pytest.mark.parametrize(("sharpness", "wanted"), [(1e4, "amax"), (1e-4, "mean")])
def test_it_goes_from_the_mean_to_the_maximum(sharpness: float, wanted: str) -> None:
    made, maps = head(sharpness=sharpness), torch.randn(2, 3, 4, 5)
    places = made.out(maps).flatten(2)
    assert_close(made(Features(maps=(maps,))), getattr(places, wanted)(2), rtol=1e-2, atol=1e-2)


def test_what_is_somewhere_is_found_at_any_place_of_any_level() -> None:
    made = head(prior=0.1)
    here, there = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    here[0, :, 1, 1] = there[0, :, 3, 0] = 9.0
    first, second = (
        made(Features(maps=(here, torch.zeros(1, 3, 2, 2)))),
        made(Features(maps=(there, torch.zeros(1, 3, 2, 2)))),
    )
    assert_close(first, second)
    nothing = made(Features(maps=(torch.zeros(1, 3, 4, 4),)))
    assert_close(nothing.sigmoid(), torch.full((1, 4), 0.1))
    assert (first > nothing).any()
