"""Kinds: what an annotation takes, in the words of an error, as JSON Schema."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polygraft.core.annotations import read_kind
from polygraft.core.kinds import Kind, Range


def kind(annotation: str) -> Kind:
    return read_kind(ast.parse(annotation, mode="eval").body)


@pytest.mark.parametrize(
    ("annotation", "words", "taken", "refused"),
    [
        ("bool", "true or false", [True, False], [1, 0, "true", None]),
        ("int", "a whole number", [0, -3, 10**20], [True, 1.0, "1", None]),
        ("float", "a number", [0.5, 1, -2], [True, "1", None, float("nan")]),
        ("str", "a text", ["", "a"], [1, None, ["a"]]),
        ("Any", "any value", [None, 1, {"a": [1]}], []),
        ("Literal['a', 'b', 3]", "'a', 'b' or 3", ["a", 3], ["c", 3.0, None]),
        ("Literal['only']", "'only'", ["only"], ["other"]),
        ("list[int]", "a list, each item a whole number", [[], [1, 2], (1,)], [1, [1.5], "12", None]),
        ("Sequence[str]", "a list, each item a text", [["a"]], ["a", [1]]),
        ("tuple[float, ...]", "a list, each item a number", [[1, 0.5]], [0.5]),
        ("dict[str, int]", "a mapping, each value a whole number", [{}, {"a": 1}], [{"a": 0.5}, {1: 1}, []]),
        ("int | None", "a whole number or null", [1, None], [0.5, "1"]),
        ("int | str | None", "a whole number or a text or null", [1, "a", None], [0.5]),
        ("Annotated[float, Range(min=0)]", "a number >= 0", [0, 0.5], [-0.1, float("nan")]),
        ("Annotated[float, Range(0, 1)]", "a number >= 0 and <= 1", [0, 1], [1.01]),
        ("Annotated[float, Range(above=0, below=1)]", "a number > 0 and < 1", [0.5], [0, 1]),
        ("Annotated[int, Range(min=1)] | None", "a whole number >= 1 or null", [1, None], [0]),
        ("Annotated[int | None, Range(min=1)]", "a whole number >= 1 or null", [1, None], [0]),
        ("Annotated[list[int], Range(min=1)]", "a list, each item a whole number >= 1", [[1]], [[0]]),
        ("list[Annotated[int, Range(max=9)]]", "a list, each item a whole number <= 9", [[9]], [[10]]),
        ("Annotated[int, Range(1, 16_777_216)]", "a whole number >= 1 and <= 16,777,216", [2**24], [2**24 + 1]),
        ("Annotated[float, Range(0.5, 1e18)]", "a number >= 0.5 and <= 1e+18", [0.5], [0.4]),
        ("'int | None'", "a whole number or null", [None], ["a"]),
    ],
)
def test_an_annotation_takes_what_it_says(annotation: str, words: str, taken: list, refused: list) -> None:
    read = kind(annotation)
    assert str(read) == words
    assert [value for value in taken if not read.accepts(value)] == []
    assert [value for value in refused if read.accepts(value)] == []


@pytest.mark.parametrize(
    "annotation", ["Tensor", "nn.Module", "list", "set[int]", "Annotated[int, 'doc']", "Callable[[], int]"]
)
def test_an_annotation_that_no_suite_can_hold_is_refused(annotation: str) -> None:
    with pytest.raises(ValueError, match="annotation"):
        kind(annotation)


def test_a_range_bounds_numbers_only() -> None:
    with pytest.raises(ValueError, match="a Range bounds numbers, not a text"):
        kind("Annotated[str, Range(min=0)]")


@given(st.floats(), st.floats(), st.floats())
def test_a_range_holds_what_lies_within_and_never_nan(low: float, high: float, value: float) -> None:
    held = Range(min=low, below=high).holds(value)
    assert held == (low <= value < high)


def test_a_number_has_one_written_form() -> None:
    assert repr(kind("list[float] | None").cast([1, 2])) == "[1.0, 2.0]"
    assert repr(kind("int | float").cast(1)) == "1"
    assert repr(kind("dict[str, float]").cast({"a": 1})) == "{'a': 1.0}"


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("Annotated[int, Range(min=1, below=9)]", {"type": "integer", "minimum": 1, "exclusiveMaximum": 9}),
        ("Literal['a', 'b']", {"enum": ["a", "b"]}),
        ("list[str] | None", {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
        ("dict[str, bool]", {"type": "object", "additionalProperties": {"type": "boolean"}}),
        ("Any", {}),
    ],
)
def test_a_kind_is_json_schema_too(annotation: str, schema: dict) -> None:
    assert kind(annotation).schema() == schema
