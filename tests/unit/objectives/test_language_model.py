"""The language model against torch's cross-entropy, and what a backbone may not show it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from polygraft import objectives
from polygraft.core.batch import Batch, Input, Inputs
from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.models import trunks

TEXT = Input("tokens/x", "tokens", (None,), 4, 6, masked=True)
TOKENS = torch.tensor([[2, 5, 3, 0, 0], [2, 1, 4, 3, 0], [5, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.int32)
LOGITS = torch.randn(4, 5, 5, generator=torch.Generator().manual_seed(0))


def made(*inputs: Input):
    return objectives.registry.make("language_model", {}, task="t", inputs=Inputs(others=inputs or (TEXT,)))


def sight(tokens=TOKENS, logits=LOGITS):
    inputs = {"tokens/x": tokens}
    return SimpleNamespace(
        outputs={"t": logits}, network=SimpleNamespace(tables={"t": "table"}), inputs=lambda task: inputs
    )


def test_it_is_torchs_cross_entropy_of_the_next_tokens():
    weights = torch.tensor([1.0, 2.0, 1.0, 1.0])
    found = made().losses(sight(), {"table": Batch({"tokens/x": TOKENS}, weights=weights)})
    wanted = cross_entropy(LOGITS[0, :3], torch.tensor([4, 2, 0]), reduction="sum")
    # In the second row what follows the first token is not known, and the row was cut at 4: its end does not count.
    wanted += 2 * cross_entropy(LOGITS[1, 1:3], torch.tensor([3, 2]), reduction="sum")
    wanted += cross_entropy(LOGITS[2, :1], torch.tensor([0]), reduction="sum")
    assert_close(found.total, wanted)
    assert found.weight == 3 + 2 * 2 + 1


def test_perplexity_is_over_tokens_and_improves_on_their_shares():
    objective = made()
    weights = torch.ones(4)
    loss = objective.losses(sight(), {"table": Batch({"tokens/x": TOKENS}, weights=weights)})
    answers = objective.answers(sight())
    found = objective.scores(answers, torch.empty(4, 0), torch.ones(4).bool(), weights)
    assert found["cross_entropy"] == pytest.approx(float(loss.total / loss.weight))
    assert found["perplexity"] == pytest.approx(math.exp(found["cross_entropy"]))
    constant = -sum(each / 6 * math.log(each / 6) for each in (1, 2, 1, 2))  # 5, 3 twice, 4, the end twice
    assert found["improvement"] == pytest.approx(1 - found["cross_entropy"] / constant)
    assert objective.predict(answers)["t_perplexity"].tolist()[3] == 1


def test_more_padding_changes_nothing():
    more = sight(torch.nn.functional.pad(TOKENS, (0, 3)), torch.nn.functional.pad(LOGITS, (0, 0, 0, 3)))
    weights, present = torch.ones(4), torch.ones(4).bool()
    scores = [made().scores(made().answers(each), torch.empty(4, 0), present, weights) for each in (sight(), more)]
    assert scores[0] == pytest.approx(scores[1])


def test_no_rows_have_no_scores():
    assert made().scores(torch.empty(0, 5), torch.empty(0, 0), torch.empty(0).bool(), torch.empty(0)) == {}


def test_a_table_without_one_text_is_refused():
    with pytest.raises(UserError, match="a language model is of one text or list of levels; the table has 2"):
        made(TEXT, TEXT)


CAUSAL = {
    "lstm": [({}, True), ({"bidirectional": True}, False)],
    "transformer": [({"causal": True}, True), ({}, False)],
}
CASES = [(name, *case) for name, cases in CAUSAL.items() for case in cases]


@pytest.mark.parametrize(("name", "settings", "causal"), CASES)
def test_a_trunk_says_truly_whether_a_position_knows_of_those_after_it(name, settings, causal):
    torch.manual_seed(0)
    trunk = trunks.registry.make(name, settings, offer=Offer("sequence", 8), width=8).eval()
    steps, mask = torch.randn(3, 6, 8), torch.ones(3, 6, dtype=torch.bool)
    other = steps.clone()
    other[:, 4:] = 7
    same = [trunk(Features(sequence=each, mask=mask)).sequence[:, :4] for each in (steps, other)]
    assert torch.allclose(*same, atol=1e-6) is causal
    assert all(each.causal is causal for each in trunk.offers)
    assert trunk.offer.of("sequence").causal is causal


def test_a_backbone_that_looks_ahead_is_refused():
    with pytest.raises(UserError, match=r"the backbone shows each position what comes after it.* bidirectional: false"):
        made().stand_on(Offer("sequence", 8))
    assert made().stand_on(Offer("sequence", 8, causal=True)).width == 8
