"""A trunk and a head get what they read of what is offered, or one refusal that says what would be."""

from __future__ import annotations

import pytest
import torch

from polygraft.assembly.learners import learner
from polygraft.core.batch import Batch, Input, Inputs
from polygraft.core.errors import UserError
from polygraft.data.targets import Target
from polygraft.suite.load import load

SUITE = """
suite: mixed
data:
  left: {source: left.csv, stem: STEM}
backbone: BACKBONE
tasks:
  delay: {data: left, target: delay, objective: regression}
train: {steps: 9}
"""
SHAPES = {
    "columns": Inputs(numbers=3),
    "image": Inputs(others=(Input("image/photo", "image", (1, 6, 6)),)),
    "series": Inputs(others=(Input("series/load", "series", (None, 2), length=9, masked=True),)),
    "tokens": Inputs(others=(Input("tokens/note", "tokens", (None,), length=9, size=7, masked=True),)),
}
ROWS = {
    "image": {"image/photo": torch.randn(5, 1, 6, 6)},
    "series": {"series/load": torch.randn(5, 8, 2), "series_mask/load": torch.arange(8) < torch.tensor([[8], [5], [3], [1], [0]])},
    "tokens": {"tokens/note": torch.ones(5, 8, dtype=torch.int32), "tokens_mask/note": torch.ones(5, 8, dtype=torch.bool)},
}  # fmt: skip


HEAD = """'A head that reads {wants}, Somebody 2020 (https://example.org).'

from torch import nn

from polygraft.core.features import Offer
from polygraft.models.base import Head


class Tagger(Head):
    'Reads what it wants.'

    wants = "{wants}"

    def __init__(self, offer: Offer, size: int, /) -> None:
        super().__init__()
        self.offer, self.size, self.out = offer, size, nn.Linear(offer.width, size)

    def forward(self, features, given=None):
        'The mean.'
        part = features.maps[-1].movedim(1, 3) if self.wants == "maps" else features.sequence
        return self.out(part.flatten(1, -2).mean(1))
"""


def built(tmp_path, backbone, table, stem=None, head=None):
    """A suite's learner on a table of one kind of input. head: what the task's own head reads."""
    text = SUITE.replace("BACKBONE", backbone).replace("STEM", stem or f"{{name: {table}}}")
    if head:
        (tmp_path / "plugins/models/heads").mkdir(parents=True)
        (tmp_path / "plugins/models/heads/tagger.py").write_text(HEAD.replace("{wants}", head))
        text = text.replace("objective: regression", "objective: regression, head: tagger")
    (tmp_path / "suite.yaml").write_text(text)
    target = Target("delay", ("delay",), "number", labelled=9)
    return learner(load(tmp_path / "suite.yaml"), {"left": SHAPES[table]}, {"delay": target})


FITTING = [
    ("cnn", "image", "maps"),
    ("feature_pyramid", "image", "maps"),
    ("lstm", "series", "sequence"),
    ("lstm", "tokens", "sequence"),
    ("{name: transformer, width: 8}", "series", "sequence"),
    ("transformer", "tokens", "sequence"),
]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(("backbone", "table", "offers"), FITTING)
def test_a_trunk_stands_on_its_stem_and_gives_heads_a_vector_or_the_rest(tmp_path, backbone, table, offers, own):
    made = built(tmp_path, backbone, table, f"{{name: {table}, offers: {offers}}}", offers if own else None)
    found = made.network.view({"left": Batch(ROWS[table])}).outputs["delay"]
    assert found.shape == (5, 1)
    if own:
        assert made.network.heads["delay"].offer == made.network.sharing.offer.of(offers)


@pytest.mark.parametrize(
    ("backbone", "table", "stem", "text"),
    [
        (
            "mlp", "series", "{name: series, offers: sequence}",
            r"suite.yaml:5: backbone: 'mlp' reads a vector; the tables offer a sequence. Take 'lstm' or 'transformer', or "
            r"`offers: vector` in the table's stem \(image, series, tokens\).",
        ),
        (
            "mlp", "image", "{name: image, offers: maps}",
            r"backbone: 'mlp' reads a vector; the tables offer maps. Take 'cnn' or 'feature_pyramid', or `offers: vector`",
        ),
        (
            "cnn", "columns", None,
            r"backbone: 'cnn' reads maps; the tables offer a vector. Take 'mlp', or `offers: maps` in the table's stem \(image\).",
        ),
        (
            "lstm", "image", "{name: image, offers: maps}",
            r"backbone: 'lstm' reads a sequence; the tables offer maps. Take 'cnn' or 'feature_pyramid', or `offers: sequence`",
        ),
    ],
)  # fmt: skip
def test_a_trunk_that_reads_something_else_is_refused_with_those_that_read_it(tmp_path, backbone, table, stem, text):
    with pytest.raises(UserError, match=text) as caught:
        built(tmp_path, backbone, table, stem)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize(
    ("backbone", "table", "stem", "head", "text"),
    [
        (
            "mlp", "columns", None, "sequence",
            "suite.yaml:7: tasks.delay: its head 'tagger' reads a sequence; the backbone 'mlp' offers a vector. Take 'dense' or 'image_decoder', or "
            "a backbone that offers a sequence.",
        ),
        (
            "lstm", "series", "{name: series, offers: sequence}", "maps",
            "tasks.delay: its head 'tagger' reads maps; the backbone 'lstm' offers a sequence and a vector. Take 'decoder' or 'pointers' or "
            "'sequence_labels' or 'transformer_decoder' or 'dense' or 'image_decoder', or a",
        ),
    ],
)  # fmt: skip
def test_a_head_that_reads_something_else_is_refused(tmp_path, backbone, table, stem, head, text):
    with pytest.raises(UserError, match=text) as caught:
        built(tmp_path, backbone, table, stem, head)
    assert len(caught.value.faults) == 1


def test_behind_attention_a_vector_is_of_what_is_kept(tmp_path):
    made = built(tmp_path, "lstm\nsharing: mtan", "series", "{name: series, offers: sequence}")
    features = made.network.view({"left": Batch(ROWS["series"])}).features["delay"]
    lengths = torch.tensor([8.0, 5.0, 3.0, 1.0, 1.0])  # a row without a step is 0 over anything
    torch.testing.assert_close(features.vector, features.sequence.sum(1) / lengths[:, None])
