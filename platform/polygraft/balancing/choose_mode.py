"""Which of the three modes a run takes; a gradient method never silently falls back to losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polygraft.core.errors import fault

CUTS = ("last_layer", "features")
"""Modes that look at the cut between the shared part and the tasks' own."""


def choose_mode(requested: str, name: str, facts: Mapping[str, Any], *, has_cut: bool, one_input: bool) -> str:
    """`losses`, `last_layer`, `features` or `parameters`; the method's first mode that the network allows for `auto`.

    requested: `balancer.gradients`. name, facts: the method's, `needs` and `modes` are read. has_cut: the network names
    one. one_input: all tasks read the same table. Raises UserError with the mend.
    """
    needs, modes = facts["needs"], tuple(map(str, facts.get("modes", ())))
    if needs == "losses":
        if requested != "auto":
            raise fault(f"gradients: '{name}' looks at losses alone; gradients: {requested} has no meaning. Take auto.")
        return "losses"
    hindrance = ""
    if not has_cut:
        hindrance = "the network names no last shared layer"
    elif not one_input:
        hindrance = "its tasks read different tables"
    allowed = [mode for mode in modes if mode not in CUTS or not hindrance]
    if requested == "auto" and allowed:
        return allowed[0]
    if requested == "auto":
        raise fault(
            f"gradients: '{name}' works in {_words(modes)} alone, and {hindrance}. Take a balancer that works in parameters."
        )
    if requested not in modes:
        raise fault(f"gradients: '{name}' works in {_words(modes)}, not in {requested}. Take auto, or one it works in.")
    if requested not in allowed:
        mend = f"Take {_words(allowed)}." if allowed else "Take a balancer that works in parameters."
        raise fault(f"gradients: {requested} needs one input and one cut for all tasks, but {hindrance}. {mend}")
    return requested


def _words(modes: tuple[str, ...] | list[str]) -> str:
    return " or ".join(modes)
