"""Text: a suite's YAML 1.2 as plain values with the line of every key and every item; all faults of the text at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from polygraft.core.errors import Fault, UserError, fault

_TAGS = ("null", "bool", "int", "float")


@dataclass
class _Reading:
    """What is being read: the file's name as faults say it, the places found so far, the faults found so far."""

    file: str
    places: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    yaml: YAML = field(default_factory=lambda: YAML(typ="safe", pure=True))

    def place(self, node: Node) -> str:
        return f"{self.file}:{node.start_mark.line + 1}"


def read_text(raw: bytes, file: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The mapping that `raw` holds, and by dotted path the `file:line` of each key and list item.

    Raises UserError for what is no UTF-8, no YAML, no mapping; for duplicate keys, anchors and tags.
    """
    reading = _Reading(file)
    node = _compose(_decoded(raw, file), reading)
    if node is None:
        raise fault("the suite is empty. `polygraft init` writes one.", file)
    value = _value(node, "", reading)
    if reading.faults:
        raise UserError(reading.faults)
    if not isinstance(value, dict):
        raise fault(f"a suite is a mapping of keys, not {_described(value)}.", reading.place(node))
    return value, reading.places


def read_value(text: str) -> Any:
    """One YAML value, as `--set key=value` gives it. Raises ValueError, in words, for what is none."""
    reading = _Reading("")
    try:
        node = reading.yaml.compose(text)
    except YAMLError as error:
        raise ValueError(getattr(error, "problem", None) or str(error)) from None
    value = None if node is None else _value(node, "", reading)
    if reading.faults:
        raise ValueError(reading.faults[0].what.rstrip("."))
    return value


def _decoded(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        what = f"byte 0x{raw[error.start]:02x} is no UTF-8. Save the file as UTF-8."
        raise fault(what, f"{file}:{line}") from None


def _compose(text: str, reading: _Reading) -> Node | None:
    try:
        node: Node | None = reading.yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        tab = "\t" in text.splitlines()[line - 1] if line <= len(text.splitlines()) else False
        why = "a tab cannot indent YAML; use spaces" if tab else f"this is not YAML: {error.problem or error.context}"
        raise fault(f"{why}.", f"{reading.file}:{line}") from None
    except YAMLError as error:
        raise fault(f"this is not YAML: {str(error).splitlines()[0]}.", reading.file) from None
    return node


def _value(node: Node, path: str, reading: _Reading) -> Any:
    if id(node) in reading.seen:
        reading.faults.append(
            Fault(reading.place(node), "a suite repeats itself in full: anchors and aliases are not read.")
        )
        return None
    reading.seen.add(id(node))
    if isinstance(node, MappingNode):
        return _mapping(node, path, reading)
    if isinstance(node, SequenceNode):
        for i, item in enumerate(node.value):
            reading.places[_joined(path, i)] = reading.place(item)
        return [_value(item, _joined(path, i), reading) for i, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node, path, reading)


def _mapping(node: MappingNode, path: str, reading: _Reading) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        key = _text(key_node, path, reading) if isinstance(key_node, ScalarNode) else ""
        here = _joined(path, key)
        if not key:
            reading.faults.append(Fault(reading.place(key_node), f"{path or 'the suite'}: a key is a text."))
        elif key in found:
            what = f"{here}: the key '{key}' stands here again; it stood on line {lines[key]}. Keep one of them."
            reading.faults.append(Fault(reading.place(key_node), what))
        else:
            lines[key] = key_node.start_mark.line + 1
            reading.places[here] = reading.place(key_node)
            found[key] = _value(value_node, here, reading)
    return found


def _scalar(node: ScalarNode, path: str, reading: _Reading) -> Any:
    kind = str(node.tag).rpartition(":")[2]
    if kind in _TAGS and str(node.tag).startswith("tag:yaml.org"):
        return reading.yaml.constructor.construct_object(node)
    if kind not in ("str", "timestamp"):  # a date is a text here; its column knows what it is
        reading.faults.append(Fault(reading.place(node), f"{path}: tags ({node.tag}) are not read."))
    return _text(node, path, reading)


def _text(node: ScalarNode, path: str, reading: _Reading) -> str:
    """The node's text; a character that JSON writes as two escapes (`\\ud840\\udc8a`) is the one that it is."""
    try:
        return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        what = f"{path or 'the suite'}: {node.value!a} holds half of a character. Write the character itself."
        reading.faults.append(Fault(reading.place(node), what))
        return ""


def _joined(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _described(value: object) -> str:
    return "a list" if isinstance(value, list) else f"{value!r}"
