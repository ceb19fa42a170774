"""Mentions: where in a suite which room's plugins are mentioned, read from the schema itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from polygraft.suite.fields import Room
from polygraft.suite.sections import BalancerSuite, Named, Section


def mentions(section: Section, path: str = "") -> Iterator[tuple[str, str, Named | BalancerSuite]]:
    """(dotted path, room, mention) of each plugin that `section`, standing at `path`, mentions."""
    for name, info in type(section).model_fields.items():
        here = f"{path}.{name}" if path else name
        value = getattr(section, name)
        room = _room(info)
        if isinstance(value, list):
            each = [(f"{here}.{i}", item) for i, item in enumerate(value)]
        elif isinstance(value, dict):
            each = [(f"{here}.{key}", item) for key, item in value.items()]
        else:
            each = [(here, value)]
        for where, item in each:
            if room and isinstance(item, Named | BalancerSuite):
                yield where, room, item
            elif isinstance(item, Section):
                yield from mentions(item, where)


def _room(annotation: Any) -> str | None:
    """The room that a field's metadata names, wherever in its annotation it stands."""
    if isinstance(annotation, Room):
        return annotation.name
    inside = (
        [annotation.annotation, *annotation.metadata] if isinstance(annotation, FieldInfo) else get_args(annotation)
    )
    return next(filter(None, map(_room, inside)), None)
