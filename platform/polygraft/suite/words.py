"""Words: pydantic's errors as what a person can mend."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from polygraft.core.errors import nearest
from polygraft.suite.schema import Suite

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": "at least",
    "greater_than": "more than",
    "less_than_equal": "at most",
    "less_than": "less than",
}
_PATTERNS = {
    "suite": "letters, digits, _ and -, a letter or digit first",
    "train.device": "auto, cpu, cuda or cuda:N",
    "": "a name of letters, digits, _ and -, a letter first",
}


def path_of(error: ErrorDetails) -> str:
    """The dotted path that an error is about, as the suite's text has it."""
    location = [str(step) for step in error["loc"] if step != "[key]"]
    if location[:2] == ["train", "optimizer"]:  # pydantic adds the union's tag
        del location[2:3]
    return ".".join(location)


def words_of(error: ErrorDetails) -> str:
    """What is wrong, what is allowed and the likely mend, without the place and the path."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    path = path_of(error)
    if kind == "missing":
        return "is missing."
    if kind == "extra_forbidden":
        return _unknown_key([str(step) for step in error["loc"]])
    if kind == "value_error":
        return f"{context['error']}, not {shown(value)}."
    if kind in _KINDS:
        return f"takes {_KINDS[kind]}, not {shown(value)}."
    if kind in _BOUNDS:
        return f"takes a number of {_BOUNDS[kind]} {next(iter(context.values())):g}, not {shown(value)}."
    if kind == "string_pattern_mismatch":
        return f"takes {_PATTERNS.get(path, _PATTERNS[''])}, not {shown(value)}."
    if kind == "literal_error":
        return f"takes {context['expected']}, not {shown(value)}.{_likely(value, context['expected'])}"
    if kind == "union_tag_invalid":
        return f"name: takes {context['expected_tags']}, not {shown(context['tag'])}.{_likely(context['tag'], context['expected_tags'])}"
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return f"takes {bound} items, not {context['actual_length']}."
    return f"{error['msg'][0].lower()}{error['msg'][1:]}."


def shown(value: object) -> str:
    """A value as a person wrote it, short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int):
        return f"{value:,}"
    return repr(value)


def _likely(value: object, expected: str) -> str:
    words = [each.strip("'") for each in expected.replace(" or ", ", ").split(", ")]
    found = get_close_matches(str(value), words, n=1, cutoff=0.6)
    return f" Did you mean '{found[0]}'?" if found else ""


def _unknown_key(location: list[str]) -> str:
    *holder, key = location
    at: Any = Suite
    for step in holder:
        at = _inside(at, step)
    known = [field for model in _models(at) for field in model.model_fields]
    return f"there is no such key.{nearest(key, known)} There are {', '.join(known)}."


def _inside(annotation: Any, step: str) -> Any:
    """What stands behind a key, an item, or the tag by which pydantic names one branch of a union of sections."""
    for model in _models(annotation):
        if "name" in model.model_fields and model.model_fields["name"].default == step:
            return model
        if step in model.model_fields:
            return model.model_fields[step].annotation
    args = [each for part in _branches(annotation) if get_origin(part) in (dict, list) for each in get_args(part)[-1:]]
    return args[0] if args else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [each for each in _branches(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]


def _branches(annotation: Any) -> list[Any]:
    """The parts of a union, each without its metadata."""
    if hasattr(annotation, "__metadata__"):
        return _branches(annotation.__origin__)
    if get_origin(annotation) in (Union, UnionType):
        return [branch for part in get_args(annotation) for branch in _branches(part)]
    return [annotation]
