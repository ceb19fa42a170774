"""A shard is a slice of a larger tensor; what a network makes of its rows may not depend on where the slice begins."""

from __future__ import annotations

import torch

from polygraft.core.batch import Inputs
from polygraft.models.stems.columns import Columns


def test_a_stem_of_numbers_alone_gives_memory_of_its_own():
    rows = torch.randn(20, 3)[7:]  # begins in the middle of an allocation
    found = Columns(Inputs(numbers=3))({"numbers": rows}).vector
    assert torch.equal(found, rows)
    assert found.untyped_storage().data_ptr() == found.data_ptr(), "it begins its allocation"
