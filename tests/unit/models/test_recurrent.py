"""The recurrent trunk, against torch's own LSTM with the same weights, and against a loop row by row."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from polygraft.core.errors import UserError
from polygraft.core.features import Features, Offer
from polygraft.models import trunks
from polygraft.models.cells import CELLS

LENGTHS = (7, 3, 0, 1)


def made(dtype=torch.float64, **settings):
    torch.manual_seed(0)
    return trunks.registry.make("lstm", settings, offer=Offer("sequence", 3)).to(dtype)


def rows(dtype=torch.float64):
    steps = torch.randn(len(LENGTHS), 8, 3, dtype=dtype, generator=torch.Generator().manual_seed(1))
    return Features(sequence=steps, mask=torch.arange(8) < torch.tensor(LENGTHS)[:, None])


def oracle(trunk, units, both):
    """torch's LSTM of all layers, with the trunk's weights."""
    found = nn.LSTM(3, units, len(trunk.stages), batch_first=True, bidirectional=both).double()
    for layer, stage in enumerate(trunk.stages):
        for cell, suffix in zip(stage.cells, ("", "_reverse"), strict=False):
            own = dict(cell.named_parameters())
            theirs = {
                kind: getattr(found, f"{kind}_l{layer}{suffix}")
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            with torch.no_grad():
                if "inputs.weight" in own:
                    theirs["weight_ih"].copy_(own["inputs.weight"])
                    theirs["weight_hh"].copy_(own["recurrent.weight"])
                    theirs["bias_ih"].copy_(own["inputs.bias"])
                    theirs["bias_hh"].zero_()
                else:
                    for kind, weight in theirs.items():
                        weight.copy_(own[f"lstm.{kind}_l0"])
    return found


@pytest.mark.parametrize("cell", ["torch", "written"])
@pytest.mark.parametrize("both", [False, True])
def test_it_is_torchs_lstm_row_by_row_in_outputs_and_gradients(cell, both):
    trunk = made(widths=[4 * (1 + both)] * 2, cell=cell, bidirectional=both)
    wanted, features = oracle(trunk, 4, both), rows()
    slopes = torch.randn(2, len(LENGTHS), 8, 4 * (1 + both), dtype=torch.float64)
    found = trunk(features)
    total = 0
    for number, length in enumerate(LENGTHS):
        if not length:
            assert not found.sequence[number].any()
            assert not found.vector[number].any()
            continue
        out, (h, _) = wanted(features.sequence[number : number + 1, :length])
        assert_close(found.sequence[number, :length], out[0], rtol=1e-9, atol=1e-12)
        assert_close(found.vector[number], h[-2:].flatten() if both else h[-1, 0], rtol=1e-9, atol=1e-12)
        total = total + (out[0] * slopes[0, number, :length]).sum()
    mine = (found.sequence * slopes[0]).sum()
    parameters = (
        [trunk.stages[0].cells[0].inputs.weight] if cell == "written" else [trunk.stages[0].cells[0].lstm.weight_ih_l0]
    )
    theirs = [wanted.weight_ih_l0]
    assert_close(torch.autograd.grad(mine, parameters), torch.autograd.grad(total, theirs), rtol=1e-9, atol=1e-12)


def test_the_written_cell_is_torchs_to_a_millionth_in_float32():
    torch.manual_seed(0)
    written, fused = CELLS["written"](5, 7, 1.0), CELLS["torch"](5, 7, 1.0)
    weights = dict(fused.lstm.named_parameters())
    with torch.no_grad():
        weights["weight_ih_l0"].copy_(written.inputs.weight)
        weights["weight_hh_l0"].copy_(written.recurrent.weight)
        weights["bias_ih_l0"].copy_(written.inputs.bias)
        weights["bias_hh_l0"].zero_()
    steps = torch.randn(6, 12, 5, requires_grad=True)
    out = [cell(steps) for cell in (written, fused)]
    assert_close(out[0], out[1], rtol=1e-6, atol=1e-6)
    mine = torch.autograd.grad(out[0].square().mean(), [steps, *written.parameters()])
    names = ("weight_ih_l0", "bias_ih_l0", "weight_hh_l0")
    theirs = torch.autograd.grad(out[1].square().mean(), [steps, *(weights[name] for name in names)])
    assert_close(list(mine), list(theirs), rtol=1e-6, atol=1e-6)


def test_a_plain_cell_is_torchs_plain_network():
    torch.manual_seed(0)
    cell, wanted = CELLS["plain"](5, 7, 1.0).double(), nn.RNN(5, 7, batch_first=True).double()
    with torch.no_grad():
        wanted.weight_ih_l0.copy_(cell.inputs.weight)
        wanted.weight_hh_l0.copy_(cell.recurrent.weight)
        wanted.bias_ih_l0.copy_(cell.inputs.bias)
        wanted.bias_hh_l0.zero_()
    steps = torch.randn(6, 12, 5, dtype=torch.float64)
    assert_close(cell(steps), wanted(steps)[0])


@pytest.mark.parametrize("cell", ["torch", "written"])
def test_the_forget_gate_begins_with_its_bias(cell):
    found = made(widths=[4], cell=cell, forget=1.5).stages[0].cells[0]
    biases = [each for key, each in found.named_parameters() if "bias" in key]
    assert_close(sum(biases)[4:8], torch.full((4,), 1.5, dtype=torch.float64))
    assert not (sum(biases)[:4] == 1.5).any()


@pytest.mark.parametrize("cell", ["written", "plain"])
@pytest.mark.parametrize("both", [False, True])
def test_torch_func_takes_gradients_of_each_row_through_a_written_cell(cell, both):
    trunk, features = made(widths=[4, 6], cell=cell, bidirectional=both), rows()
    parameters = {key: each.detach() for key, each in trunk.named_parameters()}

    def loss(weights, steps, mask):
        found = torch.func.functional_call(trunk, weights, (Features(sequence=steps[None], mask=mask[None]),))
        return found.vector.square().sum() + found.sequence.square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(parameters, features.sequence, features.mask)
    for number in range(len(LENGTHS)):
        alone = torch.func.grad(loss)(parameters, features.sequence[number], features.mask[number])
        assert_close({key: found[number] for key, found in each.items()}, alone)


@pytest.mark.parametrize(
    "settings", [{}, {"bidirectional": True}, {"cell": "written", "project": 3}, {"cell": "plain"}]
)
def test_its_gradient_is_that_of_finite_differences(settings):
    trunk, features = made(widths=[4], **settings), rows()

    def run(steps):
        found = trunk(Features(sequence=steps, mask=features.mask[:, :3]))
        return found.vector, found.sequence

    assert torch.autograd.gradcheck(run, (features.sequence[:, :3].clone().requires_grad_(),))


def test_a_projection_is_one_layer_on_each_step_and_on_the_state():
    trunk, features = made(widths=[4], project=3), rows()
    bare = made(widths=[4])
    bare.load_state_dict({key: each for key, each in trunk.state_dict().items() if "project" not in key})
    layer, found, before = trunk.last_layer(), trunk(features), bare(features)
    assert bare.last_layer() is None
    assert_close(found.sequence, layer(before.sequence) * features.mask[..., None])
    assert_close(found.vector, layer(before.vector) * features.mask.any(1, keepdim=True))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"widths": []}, "widths: an LSTM needs at least one layer"),
        ({"widths": [4, 7], "bidirectional": True}, "widths: 7 units are not two halves, one for each direction."),
    ],
)
def test_what_does_not_fit_is_refused_with_the_mend(settings, text):
    with pytest.raises(UserError, match=text):
        made(**settings)
