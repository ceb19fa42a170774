"""List the plugins of a room: what they need, what they cost, their settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from polygraft.cli.output import as_json, print_json, print_table
from polygraft.core.catalogue import ROOMS, Catalogue, Plugin, catalogue
from polygraft.core.errors import fault, nearest

_PLURALS = {plural: room for room, (_, plural) in ROOMS.items()}


@click.command()
@click.argument("room", required=False)
@click.option("--suite", type=click.Path(path_type=Path), help="Also the plugins beside this suite.")
@as_json
def command(room: str | None, suite: Path | None, as_json: bool) -> None:
    """List the plugins of ROOM (balancers, trunks, objectives, ...), or all rooms."""
    beside = None if suite is None else suite if suite.is_dir() else suite.parent
    rooms = {_room(room): room} if room else {each: plural for plural, each in _PLURALS.items()}
    found = {each: catalogue(each, beside) for each in rooms}
    for plugins in found.values():
        for broken in plugins.broken.values():
            print(broken, file=sys.stderr)
    if as_json:
        print_json({plugins.plural: [_facts(plugin) for plugin in plugins.values()] for plugins in found.values()})
    elif room:
        click.echo("\n\n".join(map(_told, found[_room(room)].values())))
    else:
        print_table(("room", "number", "plugins"), [(each.plural, len(each), _names(each)) for each in found.values()])


def _room(name: str) -> str:
    """The room that a person means by its plural, its singular or its folder."""
    singulars = {singular: room for room, (singular, _) in ROOMS.items()}
    known = _PLURALS | singulars | {room: room for room in ROOMS}
    if name not in known:
        raise fault(f"no room is called '{name}'.{nearest(name, known)} There are {', '.join(_PLURALS)}.")
    return known[name]


def _names(plugins: Catalogue) -> str:
    return ", ".join(plugins)


def _facts(plugin: Plugin) -> dict[str, Any]:
    settings = [
        {
            "name": each.name,
            "takes": str(each.kind),
            "required": each.required,
            "default": each.default,
            "doc": each.doc,
        }
        for each in plugin.settings
    ]
    told = {"name": plugin.name, "summary": plugin.summary, "source": plugin.source, "facts": plugin.facts}
    return {**told, "settings": settings, "absent": list(plugin.absent)}


def _told(plugin: Plugin) -> str:
    """A plugin as a person reads it: what it is, its facts, its settings, its source."""
    facts = [
        f"{fact}: {_words(plugin.facts[fact])}" for fact in _order(plugin) if plugin.facts[fact] not in ((), "", False)
    ]
    lines = [f"{plugin.name}: {plugin.summary}"]
    lines += [f"  {'; '.join(facts)}"] if facts else []
    for each in plugin.settings:
        default = "required" if each.required else f"default {_words(each.default)}"
        lines.append(f"  {each.name}: {each.kind}, {default}. {each.doc}".rstrip())
    if plugin.absent:
        lines.append(f"  not installed: {', '.join(plugin.absent)}; pip install 'polygraft[{plugin.facts['extra']}]'")
    return "\n".join([*lines, f"  {plugin.source}"])


def _order(plugin: Plugin) -> list[str]:
    """The facts' names: what people choose by first, the cost last, the others as the file has them."""
    first = [fact for fact in ("needs", "modes", "heads") if fact in plugin.facts]
    rest = [fact for fact in plugin.facts if fact not in (*first, "cost")]
    return first + rest + (["cost"] if "cost" in plugin.facts else [])


def _words(value: Any) -> str:
    if isinstance(value, list | tuple | dict):
        return ", ".join(map(str, value)) or "none"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
