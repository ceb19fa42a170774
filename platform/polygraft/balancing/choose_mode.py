"""Which of the three modes a run takes; a gradient method never silently falls back to losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polygraft.core.errors import fault

CUTS = ("last_layer", "features")
"""Modes that look at the cut between the shared part and the tasks' own."""


def choose_mode(
    requested: str, name: str, facts: Mapping[str, Any], *, has_cut: bool, one_input: bool, has_layer: bool = True
) -> str:
    """`losses`, `last_layer`, `features` or `parameters`; the method's first mode that the network allows for `auto`.

    requested: `balancer.gradients`. name, facts: the method's, `needs` and `modes` are read. has_cut: the network names
    one. has_layer: a last shared layer comes straight before it. one_input: all tasks read the same table.
    Raises UserError with the mend.
    """
    needs, modes = facts["needs"], tuple(map(str, facts.get("modes", ())))
    if needs == "losses":
        if requested != "auto":
            raise fault(f"gradients: '{name}' looks at losses alone; gradients: {requested} has no meaning. Take auto.")
        return "losses"

    def hindrance(mode: str) -> str:
        if mode not in CUTS:
            return ""
        if not one_input:
            return "its tasks read different tables"
        if mode == "last_layer" and not (has_cut and has_layer):
            return "the network names no last shared layer"
        return "" if has_cut else "the network names no cut"

    allowed = [mode for mode in modes if not hindrance(mode)]
    if requested == "auto" and allowed:
        return allowed[0]
    if requested == "auto":
        why = hindrance(modes[-1])
        raise fault(
            f"gradients: '{name}' works in {_words(modes)} alone, and {why}. Take a balancer that works in parameters."
        )
    if requested not in modes:
        raise fault(f"gradients: '{name}' works in {_words(modes)}, not in {requested}. Take auto, or one it works in.")
    if requested not in allowed:
        mend = f"Take {_words(allowed)}." if allowed else "Take a balancer that works in parameters."
        raise fault(
            f"gradients: {requested} needs one input and one cut for all tasks, but {hindrance(requested)}. {mend}"
        )
    return requested


def _words(modes: tuple[str, ...] | list[str]) -> str:
    return " or ".join(modes)
