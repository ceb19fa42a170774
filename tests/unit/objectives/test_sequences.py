"""Tagging, spans and sequence to sequence: losses against torch's, scores against sacrebleu and numbers worked by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy, pad
from torch.testing import assert_close

from polygraft import objectives
from polygraft.core.batch import Batch, Input, Inputs
from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.data.target import Target
from polygraft.models import heads

LEVELS = ("a", "b", "c")
TAGS = Target("t", ("t",), "sequence", LEVELS, (5, 3, 2), 4, longest=4)
SPAN = Target("t", ("first", "last"), "span", labelled=4, longest=5)
TEXT = Inputs(others=(Input("tokens/x", "tokens", (None,), 4, 9, masked=True),))


def batch_of(targets, present=None, weights=None):
    rows = len(targets)
    present = torch.ones(rows, dtype=torch.bool) if present is None else present
    weights = torch.ones(rows) if weights is None else weights
    return Batch({"x": torch.zeros(rows, 1)}, {"t": targets}, {"t": present}, weights, torch.arange(rows) + 10)


class Sight:
    """A view of given features through a head."""

    def __init__(self, head, features):
        self.features = {"t": features}
        self.network = SimpleNamespace(tables={"t": "table"}, heads={"t": head})
        self.given = []

    @property
    def outputs(self):
        return {"t": self.output("t")}

    def output(self, task, given=None):
        return self.headed(task, self.features[task], given)

    def headed(self, task, features, given=None):
        self.given.append(given)
        return self.network.heads[task](features, given)


def features_of(*lengths):
    most = max(lengths)
    mask = torch.arange(most) < torch.tensor(lengths)[:, None]
    sequence = torch.randn(len(lengths), most, 6, generator=torch.Generator().manual_seed(0))
    return Features(sequence=sequence * mask[:, :, None], mask=mask)


def sight(head, *lengths, size=4, **settings):
    torch.manual_seed(1)
    return Sight(heads.registry.make(head, settings, offer=Offer("sequence", 6), size=size), features_of(*lengths))


def made(name, target=TAGS, inputs=TEXT, **settings):
    return objectives.registry.make(name, settings, task="t", target=target, inputs=inputs)


def loss(objective, view, batch):
    found = objective.losses(view, {"table": batch})
    return found.total, found.weight


def test_tagging_is_torchs_cross_entropy_over_known_tags():
    view = sight("sequence_labels", 3, 2, 4, size=3)
    tags = torch.tensor([[2, 1, 4, 0], [3, 3, 0, 0], [2, 2, 2, 2]], dtype=torch.int32)
    batch = batch_of(tags, torch.tensor([True, True, False]), torch.tensor([2.0, 0.5, 1.0]))
    total, weight = loss(made("sequence_tagging"), view, batch)
    logits = view.outputs["t"]
    wanted = 2 * (cross_entropy(logits[0, 0], torch.tensor(0)) + cross_entropy(logits[0, 2], torch.tensor(2)))
    wanted += 0.5 * cross_entropy(logits[1, :2], torch.tensor([1, 1]), reduction="sum")
    assert_close(total, wanted)
    assert weight == 2 * 2 + 2 * 0.5


def test_a_row_with_more_tags_than_steps_is_refused_unless_it_was_cut():
    three, five = (torch.tensor([[2] * length + [0] * (8 - length)]) for length in (3, 5))
    with pytest.raises(
        UserError, match=r"tasks.t.target: row 10 has 3 tags for 2 steps; each step of a sequence has one"
    ):
        loss(made("sequence_tagging"), sight("sequence_labels", 2, size=3), batch_of(three))
    cut = loss(made("sequence_tagging"), sight("sequence_labels", 4, size=3), batch_of(five))
    assert cut[1] == 4  # at max_length 4: the fifth tag does not count
    nobody = batch_of(three, torch.tensor([False]))
    assert loss(made("sequence_tagging"), sight("sequence_labels", 2, size=3), nobody)[1] == 0


def test_tags_are_scored_where_they_are_known():
    objective = made("sequence_tagging")
    said = torch.tensor([[2, 3, 2], [3, 3, 0]]).float()
    wanted = torch.tensor([[2, 3, 4, 0], [1, 2, 2, 0]])
    found = objective.scores(said, wanted, torch.tensor([True, True]), torch.tensor([1.0, 1.0]))
    assert found["accuracy"] == pytest.approx(2 / 5)  # the tag beyond what was read is missed
    assert found["wrong"] == 1
    assert found["improvement"] == pytest.approx((2 / 5 - 3 / 5) / (1 - 3 / 5))
    assert objective.predict(said)["t"].tolist() == ["a b a", "b b"]
    kinds = [each.kind for each in objective.exhibits(said, wanted, torch.ones(2).bool(), torch.ones(2))]
    assert kinds == ["heatmap", "table"]


def test_answers_of_a_tagger_are_codes_and_nothing_on_padding():
    view = sight("sequence_labels", 3, 1, size=3)
    found = made("sequence_tagging").answers(view)
    assert found[0].equal(view.outputs["t"][0].argmax(1) + 2)
    assert (found[1, 1:] == 0).all()


def test_a_span_is_torchs_cross_entropy_of_both_ends():
    view = sight("pointers", 5, 3, 2, size=2)
    ends = torch.tensor([[1, 4], [0, 0], [1, 2]])
    total, weight = loss(made("span", SPAN), view, batch_of(ends, weights=torch.tensor([1.0, 3.0, 1.0])))
    logits = view.outputs["t"]
    first = cross_entropy(logits[:2, :, 0], ends[:2, 0], reduction="none")
    last = cross_entropy(logits[:2, :, 1], ends[:2, 1], reduction="none")
    assert_close(total, ((first + last) / 2 * torch.tensor([1.0, 3.0])).sum())
    assert weight == 4  # the third ends beyond its two steps


def test_a_span_that_is_said_never_ends_before_it_begins():
    logits = torch.full((1, 4, 2), -9.0)
    logits[0, 3, 0], logits[0, 1, 1], logits[0, 2, 1] = 5.0, 5.0, 4.0
    logits[0, 1, 0] = 4.5
    view = SimpleNamespace(outputs={"t": logits})
    assert made("span", SPAN).answers(view).tolist() == [[1, 1]]
    assert made("span", SPAN, max_length=1).answers(view).tolist() == [[1, 1]]


def test_spans_are_scored_as_those_of_squad():
    said, wanted = torch.tensor([[0, 1], [2, 5], [7, 7]]), torch.tensor([[0, 1], [4, 7], [0, 1]])
    found = made("span", SPAN).scores(said.float(), wanted, torch.ones(3).bool(), torch.ones(3))
    assert found["exact_match"] == pytest.approx(1 / 3)
    assert found["f1"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["improvement"] == pytest.approx((1 / 3 - 2 / 3) / (1 / 3))
    columns = made("span", SPAN).predict(said.float())
    assert {name: each.tolist() for name, each in columns.items()} == {"t_start": [0, 2, 7], "t_end": [1, 5, 7]}


CODES = torch.tensor([[2, 4, 0, 0], [3, 1, 2, 0], [2, 2, 2, 2]], dtype=torch.int32)


def test_seq2seq_is_torchs_cross_entropy_of_the_items_and_the_end():
    view = sight("decoder", 5, 2, 3)
    batch = batch_of(CODES, torch.tensor([True, True, False]), torch.tensor([2.0, 1.0, 1.0]))
    total, weight = loss(made("seq2seq"), view, batch)
    logits = view.output("t", torch.tensor([[0, 2, 4, 0, 0], [0, 3, 1, 2, 0], [0, 0, 0, 0, 0]]))
    wanted = 2 * cross_entropy(logits[0, :3], torch.tensor([1, 3, 0]), reduction="sum")
    wanted += cross_entropy(logits[1, [0, 2, 3]], torch.tensor([2, 1, 0]), reduction="sum")
    assert_close(total, wanted)
    assert weight == 2 * 3 + 3


def test_more_padding_of_the_labels_changes_no_loss():
    batch, more = batch_of(CODES), batch_of(pad(CODES, (0, 8)))
    assert_close(
        loss(made("seq2seq"), sight("decoder", 5, 2, 3), more), loss(made("seq2seq"), sight("decoder", 5, 2, 3), batch)
    )


def test_the_decoder_as_a_language_model_reads_nothing():
    plain, both = made("seq2seq"), made("seq2seq", language_model=0.5)
    view, other = sight("decoder", 5, 2, 3), sight("decoder", 4, 1, 1)
    alone = [loss(both, each, batch_of(CODES))[0] - loss(plain, each, batch_of(CODES))[0] for each in (view, other)]
    assert_close(alone[0], alone[1])
    assert alone[0] > 0


def test_own_words_are_read_more_and_more_often_and_chance_is_the_seeds():
    objective = made("seq2seq", own=0.5, own_after=10)
    view, batch = sight("decoder", *[3] * 400), batch_of(CODES[2:].repeat(400, 1))
    shares = []
    for steps in (0, 5, 10, 99):
        objective.steps.fill_(steps)
        torch.manual_seed(7)
        objective.losses(view, {"table": batch})
        shares.append((view.given[-1] < 0).float()[:, 1:].mean().item())
        assert (view.given[-1][:, 0] == 0).all()
    assert shares == pytest.approx([0, 0.25, 0.5, 0.5], abs=0.04)
    torch.manual_seed(7)
    objective.losses(view, {"table": batch})
    assert view.given[-1].equal(view.given[-2])
    objective.after_step(None)
    assert objective.steps == 100


def test_another_head_than_a_decoder_is_refused():
    with pytest.raises(UserError, match=r"tasks.t.head: a sequence is said by a decoder"):
        loss(made("seq2seq"), sight("sequence_labels", 5, 2, 3), batch_of(CODES))


def test_what_is_said_is_no_longer_than_the_limit():
    view = sight("decoder", 5, 2, 3)
    assert made("seq2seq").answers(view).shape == (3, 4)
    assert made("seq2seq", max_length=7, beam=3).answers(view).shape == (3, 7)


def test_bleu_and_chrf_are_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu")
    objective = made(
        "seq2seq", Target("t", ("t",), "sequence", ("the", "cat", "sat", "mat", "on"), longest=6), texts=True
    )
    said, wanted = torch.tensor([[2, 3, 4, 6, 2, 5]]), torch.tensor([[2, 3, 4, 6, 2, 3]])
    found = objective.scores(said.float(), wanted, torch.ones(1).bool(), torch.ones(1))
    texts = ["the cat sat on the mat"], [["the cat sat on the cat"]]
    assert found["bleu"] == sacrebleu.corpus_bleu(*texts).score > 0
    assert found["chrf"] == sacrebleu.corpus_chrf(*texts).score > 0
    assert found["error_rate"] == pytest.approx(1 / 6)
    assert found["improvement"] == pytest.approx(5 / 6)


@pytest.mark.parametrize(("name", "target"), [("sequence_tagging", TAGS), ("seq2seq", TAGS), ("span", SPAN)])
def test_rows_without_a_label_have_no_scores(name, target):
    nobody = torch.zeros(2, dtype=torch.bool)
    assert (
        made(name, target).scores(torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.int32), nobody, torch.ones(2)) == {}
    )
