"""Which mode a run takes: every case is a line."""

from __future__ import annotations

from itertools import product

import pytest
from torch import nn

from polygraft.balancing import registry
from polygraft.balancing.choose_mode import choose_mode
from polygraft.balancing.gradients import Gradients, Shards
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import UserError
from required_settings import REQUIRED

LOSSES = {"needs": "losses", "modes": ()}
MGDA = {"needs": "gramian", "modes": ("last_layer", "features", "parameters")}
GRADDROP = {"needs": "rows", "modes": ("features", "parameters")}
DB_MTL = {"needs": "rows", "modes": ("parameters",)}
ALIGNED = {"needs": "gramian", "modes": ("features",)}


@pytest.mark.parametrize(
    ("requested", "facts", "has_cut", "one_input", "mode"),
    [
        ("auto", LOSSES, False, False, "losses"),
        ("auto", MGDA, True, True, "last_layer"),
        ("auto", MGDA, False, True, "parameters"),
        ("auto", MGDA, True, False, "parameters"),
        ("features", MGDA, True, True, "features"),
        ("parameters", MGDA, True, True, "parameters"),
        ("auto", GRADDROP, True, True, "features"),
        ("auto", GRADDROP, False, True, "parameters"),
        ("auto", DB_MTL, True, True, "parameters"),
    ],
)
def test_the_mode(requested: str, facts: dict[str, object], has_cut: bool, one_input: bool, mode: str) -> None:
    assert choose_mode(requested, "x", facts, has_cut=has_cut, one_input=one_input) == mode


@pytest.mark.parametrize(
    ("requested", "facts", "has_cut", "one_input", "text"),
    [
        (
            "features",
            LOSSES,
            True,
            True,
            "gradients: 'x' looks at losses alone; gradients: features has no meaning. Take auto.",
        ),
        (
            "last_layer",
            DB_MTL,
            True,
            True,
            "gradients: 'x' works in parameters, not in last_layer. Take auto, or one it works in.",
        ),
        (
            "last_layer",
            MGDA,
            False,
            True,
            "gradients: last_layer needs one input and one cut for all tasks, but the network names no last shared layer. "
            "Take parameters.",
        ),
        (
            "features",
            MGDA,
            True,
            False,
            "gradients: features needs one input and one cut for all tasks, but its tasks read different tables. "
            "Take parameters.",
        ),
        (
            "features",
            MGDA,
            False,
            True,
            "gradients: features needs one input and one cut for all tasks, but the network names no cut. Take parameters.",
        ),
        (
            "auto",
            ALIGNED,
            False,
            True,
            "gradients: 'x' works in features alone, and the network names no cut. "
            "Take a balancer that works in parameters.",
        ),
    ],
)
def test_a_refusal_says_the_mend(
    requested: str, facts: dict[str, object], has_cut: bool, one_input: bool, text: str
) -> None:
    with pytest.raises(UserError) as error:
        choose_mode(requested, "x", facts, has_cut=has_cut, one_input=one_input)
    assert str(error.value) == text


def test_a_cut_that_no_layer_precedes_leaves_the_features() -> None:
    """Experts: several layers end before the cut."""
    assert choose_mode("auto", "x", MGDA, has_cut=True, has_layer=False, one_input=True) == "features"
    pcgrad = {"needs": "gramian", "modes": ("last_layer", "parameters")}
    assert choose_mode("auto", "x", pcgrad, has_cut=True, has_layer=False, one_input=True) == "parameters"
    with pytest.raises(UserError, match=r"the network names no last shared layer. Take features or parameters."):
        choose_mode("last_layer", "x", MGDA, has_cut=True, has_layer=False, one_input=True)


@pytest.mark.parametrize("name", catalogue("balancing").names())
def test_a_method_on_gradients_never_falls_back_to_losses(name: str) -> None:
    """Whatever is asked of whatever network: one of its modes, or a refusal. Nor does the engine take it in that mode."""
    facts = catalogue("balancing")[name].facts
    for requested in ("auto", "last_layer", "features", "parameters"):
        for has_cut, one_input in product((True, False), repeat=2):
            try:
                mode = choose_mode(requested, name, facts, has_cut=has_cut, one_input=one_input)
            except UserError:
                continue
            assert mode in (facts["modes"] or ("losses",))
    if facts["needs"] != "losses":
        assert "losses" not in facts["modes"]
        made = registry.make(name, REQUIRED.get(name, {}), tasks=2, names=("a", "b"))
        layer = nn.Linear(2, 2)
        with pytest.raises(AssertionError, match="in mode losses"):
            Gradients(
                made,
                mode="losses",
                tasks=("a", "b"),
                shared=list(layer.parameters()),
                own={},
                shards=Shards(1),
                seed=0,
            )
