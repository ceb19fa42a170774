"""Stems of inputs beyond numbers and categories: what they compute, and that padding is nothing to them."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from polygraft.core.batch import Input, Inputs
from polygraft.core.errors import UserError
from polygraft.models.stems import registry

WORDS = Input("tokens/words", "tokens", (None,), length=9, size=7, masked=True)
LOADS = Input("series/loads", "series", (None, 2), length=9, masked=True)
WINDOW = Input("series/window", "series", (3, 2), masked=True)


def stem(name, others, settings=None, **matrices):
    def make_stem(name, settings, inputs):
        return registry.make(name, settings, inputs=inputs)

    return registry.make(name, settings or {}, inputs=Inputs(others=others, **matrices), make_stem=make_stem)


def rows(length=8):
    """Three rows: five, none and two values."""
    torch.manual_seed(1)
    mask = torch.arange(length) < torch.tensor([[5], [0], [2]])
    tokens, loads = torch.randint(1, 7, (3, 8), dtype=torch.int32), torch.randn(3, 8, 2)
    wide = torch.nn.functional.pad(tokens, (0, length - 8)), torch.nn.functional.pad(loads, (0, 0, 0, length - 8))
    masked = {"tokens/words": wide[0] * mask, "series/loads": wide[1] * mask[..., None]}
    return masked | {"tokens_mask/words": mask, "series_mask/loads": mask, "numbers": torch.ones(3, 2)}


def test_tokens_are_the_mean_of_their_embeddings():
    made, inputs = stem("tokens", (WORDS,), {"width": 5}), rows()
    weight = made.tables[0].weight
    for row, vector in zip(inputs["tokens/words"], made(inputs).vector, strict=True):
        real = row[row > 0].long()
        assert_close(vector, weight[real].mean(0) if len(real) else torch.zeros(5))
    assert made.offer.width == 5


def test_a_series_is_its_mean_and_its_last_value_or_all_of_it():
    inputs = rows()
    found = stem("series", (LOADS,))(inputs).vector
    loads = inputs["series/loads"]
    wanted = [
        torch.cat([loads[0, :5].mean(0), loads[0, 4]]),
        torch.zeros(4),
        torch.cat([loads[2, :2].mean(0), loads[2, 1]]),
    ]
    assert_close(found, torch.stack(wanted))
    window = torch.randn(3, 3, 2)
    assert torch.equal(
        stem("series", (WINDOW,))({"series/window": window, "series_mask/window": torch.ones(3, 3) > 0}).vector,
        window.flatten(1),
    )


@pytest.mark.parametrize(("name", "other"), [("tokens", WORDS), ("series", LOADS)])
@pytest.mark.parametrize("offers", ["vector", "sequence"])
def test_more_padding_changes_nothing(name, other, offers):
    made = stem(name, (other,), {"offers": offers})
    short, long = made(rows()), made(rows(length=24))
    if offers == "vector":
        assert_close(short.vector, long.vector, rtol=1e-6, atol=1e-7)
        assert short.vector.shape[1] == made.offer.width
    else:
        assert torch.equal(short.sequence, long.sequence[:, :8])
        assert torch.equal(short.mask, long.mask[:, :8])
        assert not long.mask[:, 8:].any()


def test_several_series_go_side_by_side_from_their_first_step_on():
    other = Input("series/other", "series", (None, 1), length=9, masked=True)
    inputs = rows() | {"series/other": torch.ones(3, 4, 1), "series_mask/other": torch.ones(3, 4) > 0}
    made = stem("series", (LOADS, other), {"offers": "sequence"})
    found = made(inputs)
    assert torch.equal(found.sequence[..., :2], inputs["series/loads"])
    assert found.sequence[0, :, 2].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert found.mask.sum(1).tolist() == [5, 4, 4]
    assert made.offer.width == 3


def test_joined_is_its_parts_side_by_side():
    parts = {"tokens": {"width": 5}}
    made, inputs = stem("joined", (WORDS, LOADS), {"parts": parts}, numbers=2), rows()
    assert list(made.stems) == ["columns", "tokens", "series"]
    assert torch.equal(made(inputs).vector, torch.cat([each(inputs).vector for each in made.stems.values()], 1))
    assert made.offer.width == 2 + 5 + 4
    assert stem("joined", (WORDS,), {"width": 6}, numbers=2).offer.width == 6


@pytest.mark.parametrize(
    ("name", "others", "settings", "what"),
    [
        ("joined", (WORDS,), {"parts": {"image": {}}}, "parts.image: the table has no input for it. There is tokens"),
        ("joined", (WORDS,), {"parts": {"tokens": {"offers": "sequence"}}}, "takes a vector of each stem"),
        ("tokens", (LOADS,), {}, "reads tokens; found 0"),
        ("tokens", (WORDS, WORDS), {"offers": "sequence"}, "reads one text; found 2"),
        ("series", (WORDS,), {}, "reads series; found 0"),
    ],
)
def test_what_does_not_fit_is_refused(name, others, settings, what):
    with pytest.raises(UserError, match=what):
        stem(name, others, settings)
