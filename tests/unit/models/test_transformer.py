"""The transformer, against torch's own encoder with the same weights, a loop over rows and heads, and what positions promise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.models import trunks
from polygraft.models.attention import Attention

LENGTHS = (7, 3, 0, 1)


def made(**settings):
    torch.manual_seed(0)
    found = trunks.registry.make("transformer", {"heads": 2, **settings}, offer=Offer("sequence", 8)).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return found


def rows(length=8):
    steps = torch.randn(len(LENGTHS), length, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Features(sequence=steps, mask=torch.arange(length) < torch.tensor(LENGTHS)[:, None])


def encoder(trunk, hidden, activation):
    """torch's encoder layers with the trunk's weights, and the norm at the end."""
    layers = []
    for stage in trunk.stages:
        layer = nn.TransformerEncoderLayer(8, 2, hidden, 0.0, activation, batch_first=True, norm_first=True).double()
        pairs = {
            layer.self_attn.in_proj_weight: stage.attention.into.weight,
            layer.self_attn.in_proj_bias: stage.attention.into.bias,
            layer.self_attn.out_proj.weight: stage.attention.out.weight,
            layer.self_attn.out_proj.bias: stage.attention.out.bias,
            layer.linear1.weight: stage.dense[0].weight,
            layer.linear1.bias: stage.dense[0].bias,
            layer.linear2.weight: stage.dense[2].weight,
            layer.linear2.bias: stage.dense[2].bias,
            layer.norm1.weight: stage.before_attention.weight,
            layer.norm1.bias: stage.before_attention.bias,
            layer.norm2.weight: stage.before_dense.weight,
            layer.norm2.bias: stage.before_dense.bias,
        }
        with torch.no_grad():
            for theirs, mine in pairs.items():
                theirs.copy_(mine)
        layers.append(layer)
    return layers, trunk.stages[-1].end.norm


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_it_is_torchs_encoder_row_by_row_in_outputs_and_gradients(causal, activation):
    trunk, features = made(hidden=12, activation=activation, causal=causal), rows()
    (layers, norm), steps = encoder(trunk, 12, activation), features.sequence.requires_grad_()
    found, mine, theirs = trunk(features), 0, 0
    for number, length in enumerate(LENGTHS):
        if not length:
            assert not found.sequence[number].any()
            assert not found.vector[number].any()
            continue
        x = steps[number : number + 1, :length] + trunk.stages[0].begin.place.table[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length, dtype=x.dtype) if causal else None
        for layer in layers:
            x = layer(x, src_mask=mask, is_causal=causal)
        x = norm(x)[0]
        assert_close(found.sequence[number, :length], x, rtol=1e-9, atol=1e-12)
        assert_close(found.vector[number], x.mean(0), rtol=1e-9, atol=1e-12)
        theirs, mine = theirs + x.sin().sum(), mine + found.sequence[number, :length].sin().sum()
    assert_close(torch.autograd.grad(mine, steps), torch.autograd.grad(theirs, steps), rtol=1e-9, atol=1e-12)


def test_positions_are_learned_or_waves_and_the_first_step_may_be_the_vector():
    features = rows()
    waves = made(positions="sinusoidal", layers=1, width=6, pool="first")
    begin, steps = waves.stages[0].begin, torch.zeros(1, 5, 6, dtype=torch.float64)
    wanted = [[(math.sin if i % 2 == 0 else math.cos)(t / 10_000 ** (i // 2 / 3)) for i in range(6)] for t in range(5)]
    assert_close(begin.place(steps, features.mask)[0], torch.tensor(wanted, dtype=torch.float64))
    found = waves(features)
    assert torch.equal(found.vector, found.sequence[:, 0])
    assert made(positions="rotary").stages[0].begin.place(steps, features.mask) is steps
    assert begin(features.sequence, features.mask).shape == (4, 8, 6)


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal", "learned"])
def test_what_heads_look_at_depends_on_distance_alone_where_positions_are_rotary_and_on_the_place_elsewhere(positions):
    """Twice the same six steps, once three places further on: with nothing else to see, attention among them is the same."""
    trunk = made(positions=positions, layers=1)
    steps = torch.randn(1, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    shifted = torch.cat([torch.zeros(1, 3, 8, dtype=torch.float64), steps], 1)
    attention, norm = trunk.stages[0].attention, trunk.stages[0].before_attention
    scores = []
    for each, first in ((steps, 0), (shifted, 3)):
        q, k, _ = attention._parts(norm(trunk.stages[0].begin(each, torch.ones(each.shape[:2], dtype=torch.bool))))
        scores.append((q @ k.transpose(2, 3))[:, :, first:, first:])
    same = torch.allclose(*scores, rtol=1e-9, atol=1e-12)
    assert same == (positions == "rotary")


def test_order_is_seen_by_positions_alone():
    steps = torch.randn(1, 6, 8, dtype=torch.float64)
    for positions in ("learned", "rotary", "sinusoidal"):
        trunk = made(positions=positions)
        one, other = (trunk(Features(sequence=each)).vector for each in (steps, steps.flip(1)))
        assert not torch.allclose(one, other, rtol=1e-3), positions


def test_a_causal_step_knows_nothing_of_what_comes_after_it():
    trunk, steps = made(causal=True), torch.randn(2, 6, 8, dtype=torch.float64)
    changed = torch.cat([steps[:, :4], torch.randn(2, 2, 8, dtype=torch.float64)], 1)
    one, other = (trunk(Features(sequence=each)).sequence for each in (steps, changed))
    assert_close(one[:, :4], other[:, :4])
    assert not torch.allclose(one[:, 4], other[:, 4])


@pytest.mark.parametrize("settings", [{}, {"causal": True}, {"positions": "rotary"}, {"layers": 3}])
def test_attention_maps_are_what_was_weighed_by(settings):
    """Values pulled through the maps are what the kernel gave; each real step's weights add to 1, padding's and those of it are 0."""
    trunk, features = made(**settings), rows()
    maps, reads = trunk.attention(features), features
    assert len(maps) == settings.get("layers", 2)
    real = features.mask
    for stage, weights in zip(trunk.stages, maps, strict=True):
        assert weights.shape == (4, 2, 8, 8)
        assert_close(weights.sum(3), real[:, None].expand(4, 2, 8).double())
        assert not weights.masked_select(~(real[:, None, :, None] & real[:, None, None, :])).any()
        if settings.get("causal"):
            assert not weights.triu(1).any()
        normed = stage.before_attention(stage._begun(reads)[0])
        _, _, values = stage.attention._parts(normed)
        pulled = stage.attention.out((weights @ values).transpose(1, 2).flatten(2))
        assert_close(pulled[real], stage.attention(normed, real)[real], rtol=1e-5, atol=1e-5)
        reads = stage(reads)


def test_attention_is_a_softmax_of_scaled_products_written_out():
    torch.manual_seed(0)
    attention = Attention(8, 2, rotary=False, causal=False).double()
    steps, mask = torch.randn(1, 4, 8, dtype=torch.float64), torch.tensor([[True, True, True, False]])
    q, k, v = attention.into(steps)[0].detach().chunk(3, 1)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        rows_of = []
        for t in range(3):
            powers = [math.exp(float(q[t, head] @ k[s, head]) / 2) for s in range(3)]
            rows_of.append(sum(power / sum(powers) * v[s, head] for s, power in enumerate(powers)))
        heads.append(torch.stack(rows_of))
    assert_close(attention(steps, mask)[0, :3], attention.out(torch.cat(heads, 1)))


@pytest.mark.parametrize(
    "settings", [{}, {"positions": "rotary", "causal": True}, {"positions": "sinusoidal", "width": 4}]
)
def test_its_gradient_is_that_of_finite_differences(settings):
    trunk, features = made(layers=1, hidden=4, **settings), rows()

    def run(steps):
        found = trunk(Features(sequence=steps, mask=features.mask[:, :3]))
        return found.vector, found.sequence

    assert torch.autograd.gradcheck(run, (features.sequence[:, :3].detach().clone().requires_grad_(),))


def test_more_steps_than_positions_are_refused_and_more_padding_is_not():
    trunk = made(max_length=7)
    assert torch.equal(trunk(rows(16)).sequence[:, 7:], torch.zeros(4, 9, 8, dtype=torch.float64))
    with pytest.raises(
        UserError, match=r"max_length: a row has 7 steps, and 6 positions are learned. Take max_length: 7,"
    ):
        made(max_length=6)(rows())
    made(max_length=6, positions="rotary")(rows())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"heads": 3}, "heads: 3 heads do not divide a width of 8. Take width: 6, or other heads."),
        ({"heads": 4, "width": 2}, "do not divide a width of 2. Take width: 4"),
        (
            {"heads": 2, "width": 6, "positions": "rotary"},
            "2 heads of an even width each, which rotary positions turn by pairs, do not",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_mend(settings, text):
    with pytest.raises(UserError, match=text):
        made(**settings)


def test_dropout_is_on_in_training_alone():
    trunk, features = made(dropout=0.5), rows()
    assert not torch.equal(trunk(features).sequence, trunk(features).sequence)
    trunk.eval()
    assert torch.equal(trunk(features).sequence, trunk(features).sequence)


@pytest.mark.parametrize("causal", [False, True])
def test_every_step_has_something_to_look_at_padding_too(causal):
    """A softmax over nothing is no number on some devices, and 0 times that is none either."""
    seen = made(causal=causal).stages[0].attention._seen(rows().mask)
    assert seen.expand(4, 1, 8, 8).any(3).all()
    assert not seen[0, 0, -1, 7], "the eighth step of the first row is padding"
