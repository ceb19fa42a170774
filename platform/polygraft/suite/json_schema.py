"""The JSON Schema of a suite, for editors: every key, and every plugin with its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polygraft.core.catalogue import ROOMS, Catalogue, Plugin, catalogue
from polygraft.suite.schema import BalancerSuite, Suite
from polygraft.suite.sections import BALANCER_KEYS


def json_schema(beside: Path | None = None) -> dict[str, Any]:
    """JSON Schema 2020-12 of a suite; with the plugins beside a suite when its folder is given."""
    schema = Suite.model_json_schema()
    own = BalancerSuite.model_json_schema()["properties"]
    for room in ROOMS:
        extra = {key: own[key] for key in BALANCER_KEYS} if room == "balancing" else {}
        schema["$defs"][room.replace("/", ".")] = _mention(catalogue(room, beside), extra)
    pointed: dict[str, Any] = _pointed(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **pointed, "title": "A polygraft suite"}


def _pointed(schema: Any) -> Any:
    """`schema` with each field's room replaced by a pointer to the room's plugins."""
    if isinstance(schema, list):
        return [_pointed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: _pointed(each) for key, each in schema.items() if key != "x-room"}
    room = schema.get("x-room")
    return {**inside, "$ref": f"#/$defs/{room.replace('/', '.')}"} if room else inside


def _mention(plugins: Catalogue, extra: dict[str, Any]) -> dict[str, Any]:
    names = {"enum": list(plugins), "type": "string"}
    return {"anyOf": [names, *(_plugin(plugin, extra) for plugin in plugins.values())]}


def _plugin(plugin: Plugin, extra: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for each in plugin.settings:
        settings[each.name] = each.kind.schema() | ({"description": each.doc} if each.doc else {})
        if not each.required:
            settings[each.name]["default"] = each.default
    return {
        "type": "object",
        "description": plugin.summary,
        "properties": {"name": {"const": plugin.name}, **settings, **extra},
        "required": ["name", *(each.name for each in plugin.settings if each.required)],
        "additionalProperties": False,
    }
