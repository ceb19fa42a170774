"""A shard is a slice of a larger tensor; what a network makes of its rows may not depend on where the slice begins."""

from __future__ import annotations

import pytest
import torch

from polygraft.core.batch import Input, Inputs
from polygraft.models.stems import registry
from polygraft.models.stems.columns import Columns


def test_a_stem_of_numbers_alone_gives_memory_of_its_own():
    rows = torch.randn(20, 3)[7:]  # begins in the middle of an allocation
    found = Columns(Inputs(numbers=3))({"numbers": rows}).vector
    assert torch.equal(found, rows)
    assert found.untyped_storage().data_ptr() == found.data_ptr(), "it begins its allocation"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("image", Input("image/photo", "image", (3, 5, 5))),
        ("series", Input("series/loads", "series", (5, 3))),
    ],
)
@pytest.mark.parametrize("kept", [False, True])
def test_a_stem_of_raw_values_gives_memory_of_its_own(name, other, kept):
    offers = {"image": "maps", "series": "sequence"}[name] if kept else "vector"
    stem = registry.make(name, {"offers": offers}, inputs=Inputs(others=(other,)))
    (found,) = stem({other.name: torch.randn(20, *other.shape)[7:]}).tensors
    assert found.untyped_storage().data_ptr() == found.data_ptr(), "it begins its allocation"
    assert len(found.untyped_storage()) == found.numel() * 4, "and is alone in it"
