"""Fields: how a key takes one of several kinds, a short form, or a plugin, and how the JSON Schema says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from polygraft.core.kinds import Kind


@dataclass(frozen=True)
class Taking:
    """Metadata of a field: it takes this kind and says so in the kind's words, where pydantic would list a union's branches."""

    kind: Kind

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.kind.schema()

    def _check(self, value: Any) -> Any:
        if not self.kind.accepts(value):
            raise ValueError(f"takes {self.kind}")
        return value


@dataclass(frozen=True)
class Short:
    """Metadata of a section: a plain value stands for `{key: value}`; a mapping may leave out `default`s."""

    key: str
    type: type
    default: Any = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._unfold, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        plain = "string" if self.type is str else "integer"
        return {"anyOf": [{"type": plain}, handler(schema)]}

    def _unfold(self, value: Any) -> Any:
        if type(value) is self.type:
            return {self.key: value}
        if isinstance(value, Mapping):
            return value if self.default is None else {self.key: self.default, **value}
        if value is None or isinstance(value, str | int | float | list):
            what = "a text" if self.type is str else "a whole number"
            raise ValueError(f"takes {what} or a mapping with '{self.key}'")
        return value


@dataclass(frozen=True)
class Room:
    """Metadata of a field that mentions plugins: the room they are from."""

    name: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"x-room": self.name}


def gather(value: Any, own: tuple[str, ...]) -> Any:
    """A mention of a plugin with all that is not the section's `own` gathered as the plugin's settings."""
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, Mapping):
        raise ValueError("takes a name, or a mapping of name: and settings")
    kept = {key: each for key, each in value.items() if key in own}
    return kept | {"settings": {key: each for key, each in value.items() if key not in own}}
