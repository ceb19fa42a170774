"""Decoders and their search, against torch's own words, brute force and each other."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from polygraft.core.features import Features, Offer
from polygraft.models import heads
from polygraft.models.additive import masked_softmax
from polygraft.models.decoding import Decoding, said, shifted
from polygraft.models.search import search

SMALL = {
    "decoder": {"width": 6, "embedding": 5, "attention": 4},
    "transformer_decoder": {"layers": 2, "heads": 2, "width": 8, "hidden": 8},
}


@pytest.fixture(params=SMALL)
def decoder(request) -> Decoding:
    """Each decoder of three levels, with weights far from zero, so that it has an opinion."""
    torch.manual_seed(3)
    made = heads.registry.make(request.param, SMALL[request.param], offer=Offer("sequence", 8), size=4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2.5)
    return made.eval()


@pytest.fixture
def features() -> Features:
    """Five rows of up to six steps; the last has none."""
    lengths = torch.tensor([6, 1, 4, 2, 0])
    mask = torch.arange(6) < lengths[:, None]
    sequence = torch.randn(5, 6, 8, generator=torch.Generator().manual_seed(1))
    return Features(sequence=sequence * mask[:, :, None], mask=mask)


def longer(features: Features) -> Features:
    """The same rows with more padding."""
    return Features(
        sequence=functional.pad(features.sequence, (0, 0, 0, 5)), mask=functional.pad(features.mask, (0, 5))
    )


def test_what_is_given_is_shifted_and_the_end_is_a_class():
    given, wanted, counts = shifted(torch.tensor([[2, 4, 0], [3, 1, 2], [0, 0, 0]]))
    assert given.tolist() == [[0, 2, 4, 0], [0, 3, 1, 2], [0, 0, 0, 0]]
    assert wanted.tolist() == [[1, 3, 0, 0], [2, 0, 1, 0], [0, 0, 0, 0]]
    assert counts.tolist() == [[True, True, True, False], [True, False, True, True], [True, False, False, False]]


def test_where_it_looks_adds_to_one_and_never_is_padding(decoder, features):
    given = torch.tensor([[0, 2, 3]]).expand(5, -1)
    weights = decoder.attention(features, given)
    assert weights.shape == (5, 3, 6)
    assert_close(weights[:4].sum(2), torch.ones(4, 3))
    assert (weights[:4] > 0).equal(features.mask[:4, None].expand(-1, 3, -1))
    assert (weights[4] == 0).all()


def test_more_padding_changes_nothing(decoder, features):
    given = torch.tensor([[0, 2, 3, 4]]).expand(5, -1)
    assert_close(decoder(longer(features), given), decoder(features, given), rtol=1e-5, atol=1e-6)
    assert search(decoder, longer(features), 5, width=3).equal(search(decoder, features, 5, width=3))


def test_a_row_without_a_step_is_decoded_and_has_a_finite_gradient(decoder, features):
    features.sequence.requires_grad_()
    decoder(features, torch.zeros(5, 3, dtype=torch.long))[4].logsumexp(1).sum().backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in decoder.parameters())
    assert features.sequence.grad.isfinite().all()


def test_teacher_forcing_is_the_chance_of_saying_it_step_by_step(decoder, features):
    codes = torch.tensor([[2, 4, 3, 2]]).expand(5, -1)
    given, wanted, _ = shifted(codes)
    at_once = decoder(features, given).log_softmax(2).gather(2, wanted[:, :, None]).squeeze(2)
    state, last, one_by_one = decoder.begin(features), torch.zeros(5, dtype=torch.long), []
    for classes in wanted.unbind(1):
        logits, state, _ = decoder.step(state, last)
        one_by_one.append(logits.log_softmax(1).gather(1, classes[:, None]).squeeze(1))
        last = said(classes)
    assert_close(at_once, torch.stack(one_by_one, 1))


def test_what_comes_later_is_not_seen(decoder, features):
    given = torch.tensor([[0, 2, 3, 4]]).expand(5, -1)
    other = given.clone()
    other[:, 2:] = 2
    assert_close(decoder(features, given)[:, :2], decoder(features, other)[:, :2])
    assert not torch.allclose(decoder(features, given)[:, 2:], decoder(features, other)[:, 2:])


def test_its_own_words_are_the_likeliest_of_what_it_said(decoder, features):
    own = ~torch.tensor([[0, 2, 2, 2, 2]]).repeat(5, 1)
    own[:, 0] = 0
    logits = decoder(features, own)
    told = torch.nn.functional.pad(said(logits.argmax(2)), (1, -1))
    assert_close(decoder(features, told), logits)
    assert said(logits.argmax(2))[:, 0].equal(search(decoder, features, 1)[:, 0])


def test_in_training_what_was_true_is_read_before_its_own_words_are_known(decoder, features):
    given = torch.tensor([[0, 2, ~3, 4]]).repeat(5, 1)
    first = said(decoder(features, given.where(given >= 0, ~given)).argmax(2))[:, 1]
    mixed = torch.stack([given[:, 0], given[:, 1], first, given[:, 3]], 1)
    assert_close(decoder.train()(features, given), decoder(features, mixed))


def test_without_anything_given_it_says_the_first_item(decoder, features):
    assert_close(decoder(features), decoder(features, torch.zeros(5, 1, dtype=torch.long)))


def greedy(decoder: Decoding, features: Features, limit: int) -> list[list[int]]:
    """Row by row, item by item."""
    found = []
    for row in range(len(features.mask)):
        one = Features(sequence=features.sequence[row : row + 1], mask=features.mask[row : row + 1])
        codes: list[int] = []
        while len(codes) < limit:
            logits = decoder(one, torch.tensor([[0, *codes]]))
            if (best := int(logits[0, -1].argmax())) == 0:
                break
            codes.append(best + 1)
        found.append(codes + [0] * (limit - len(codes)))
    return found


def test_a_beam_of_one_is_greedy(decoder, features):
    assert search(decoder, features, 6).tolist() == greedy(decoder, features, 6)


class Listed(Decoding):
    """Any chances at all: those of an item hang on the row and on every item before."""

    size = 4

    def __init__(self, rows: int, limit: int) -> None:
        super().__init__()
        self.logits = torch.randn(rows, 5**limit, 4, generator=torch.Generator().manual_seed(0))

    def begin(self, features):
        rows = torch.arange(len(features.mask))
        return rows, torch.zeros_like(rows)

    def step(self, state, said):
        rows, place = state[0], state[1] * 5 + said
        return self.logits[rows, place], (rows, place), torch.zeros(len(rows), 1)


def best_of_all(decoder: Decoding, features: Features, limit: int, norm: float) -> list[list[int]]:
    """Every sequence of every row, by its chance as it is given to the decoder."""
    paths = [each for length in range(limit + 1) for each in itertools.product((2, 3, 4), repeat=length)]
    scores = []
    for path in paths:
        codes = torch.tensor([[*path, *[0] * (limit - len(path))]]).expand(len(features.mask), -1)
        given, classes, counts = shifted(codes)
        given, classes, counts = (
            each[:, :limit] for each in (given, classes, counts)
        )  # nothing says that it ends at the limit
        chances = decoder(features, given).double().log_softmax(2).gather(2, classes[:, :, None]).squeeze(2)
        scores.append((chances * counts).sum(1) / ((5 + counts.sum(1)) / 6) ** norm)
    best = torch.stack(scores, 1).argmax(1).tolist()
    return [[*paths[each], *[0] * (limit - len(paths[each]))] for each in best]


@pytest.mark.parametrize("norm", [0.0, 0.6, 2.0])
def test_a_beam_of_all_paths_finds_the_best_of_all(decoder, features, norm):
    wanted = best_of_all(decoder, features, 3, norm)
    assert search(decoder, features, 3, width=40, norm=norm).tolist() == wanted
    rows = Features(sequence=torch.zeros(60, 1, 1), mask=torch.ones(60, 1, dtype=torch.bool))
    listed = Listed(60, 3)
    assert search(listed, rows, 3, width=40, norm=norm).tolist() == best_of_all(listed, rows, 3, norm)


def test_a_wider_beam_finds_likelier_sequences_and_the_norm_longer_ones():
    rows = Features(sequence=torch.zeros(60, 1, 1), mask=torch.ones(60, 1, dtype=torch.bool))
    listed = Listed(60, 3)
    alone, all_ = (search(listed, rows, 3, width=width) for width in (1, 40))
    assert alone.tolist() == greedy_of(listed, 60)
    assert not alone.equal(all_)
    items = [(search(listed, rows, 3, width=40, norm=norm) > 0).sum() for norm in (0.0, 0.6, 2.0)]
    assert items[0] < items[1] < items[2]


def greedy_of(listed: Listed, rows: int) -> list[list[int]]:
    found = []
    for row in range(rows):
        codes: list[int] = []
        place = 0
        while len(codes) < 3 and (best := int(listed.logits[row, place].argmax())):
            codes.append(best + 1)
            place = place * 5 + codes[-1]
        found.append(codes + [0] * (3 - len(codes)))
    return found


def test_a_row_is_searched_as_if_it_were_alone(decoder, features, monkeypatch):
    whole = search(decoder, features, 5, width=2)
    monkeypatch.setattr("polygraft.models.search.ROWS", 2)
    assert search(decoder, features, 5, width=2).equal(whole)


def test_no_rows_are_searched_to_no_sequences(decoder):
    nothing = Features(sequence=torch.zeros(0, 4, 8), mask=torch.zeros(0, 4, dtype=torch.bool))
    assert search(decoder, nothing, 7).shape == (0, 7)


def test_a_softmax_over_nothing_is_nothing():
    mask = torch.tensor([[True, True, False], [False, False, False]])
    found = masked_softmax(torch.tensor([[1.0, 2.0, 9.0], [1.0, 2.0, 3.0]]), mask)
    assert_close(found, torch.tensor([[1.0, 2.0], [0, 0]]).softmax(1) @ torch.eye(2, 3) * mask)


def test_a_tagger_is_one_linear_layer(features):
    head = heads.registry.make("sequence_labels", {}, offer=Offer("sequence", 8), size=3)
    assert_close(head(features), functional.linear(features.sequence, head.out.weight, head.out.bias))


def test_nobody_points_at_padding(features):
    head = heads.registry.make("pointers", {}, offer=Offer("sequence", 8), size=2)
    shares = head(features).softmax(1)
    assert ((shares > 0).all(2) == features.mask)[:4].all()
    assert shares[4, :, 0].tolist() == [1, 0, 0, 0, 0, 0]
