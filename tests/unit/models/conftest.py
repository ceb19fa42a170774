"""Small networks and batches that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from polygraft.core.batch import Batch, Inputs
from polygraft.models import heads, sharing, stems, trunks
from polygraft.models.network import Network

INPUTS = Inputs(numbers=3, categories=(5, 30, 4))
TASKS = ("late", "delay", "kind")
SIZES = {"late": 1, "delay": 1, "kind": 4}


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """Rows of INPUTS with chance of their own."""

    def make(rows: int = 12, seed: int = 1) -> Batch:
        chance = torch.Generator().manual_seed(seed)
        codes = [torch.randint(0, levels, (rows,), generator=chance) for levels in INPUTS.categories]
        return Batch(
            inputs={
                "numbers": torch.randn(rows, INPUTS.numbers, generator=chance),
                "categories": torch.stack(codes, 1).int(),
            },
            weights=torch.ones(rows),
            rows=torch.arange(rows),
        )

    return make


@pytest.fixture
def make_network() -> Callable[..., Network]:
    """A network of one trunk over the given `{table: tasks}`, with settings for its parts; the same weights each time."""

    def make(tables: dict[str, tuple[str, ...]] | None = None, stem=None, trunk=None, head=None) -> Network:
        tables = tables or {"flights": TASKS}
        torch.manual_seed(0)
        made = {table: stems.registry.make("columns", stem or {}, inputs=INPUTS) for table in tables}
        offer = next(iter(made.values())).offer
        settings = {"widths": [16, 8], **(trunk or {})}
        tasks = tuple(task for of in tables.values() for task in of)
        shared = sharing.registry.make(
            "hard",
            {},
            make_trunk=lambda: trunks.registry.make("mlp", settings, width=offer.width, offer=offer),
            tasks=tasks,
        )
        ends = {t: heads.registry.make("dense", head or {}, offer=shared.offer, size=SIZES[t]) for t in tasks}
        return Network(made, shared, ends, {task: table for table, of in tables.items() for task in of})

    return make
