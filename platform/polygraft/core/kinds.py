"""Kinds: what values a setting takes, in words, as a check and as JSON Schema."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class Range:
    """Bounds of a number: `Annotated[float, Range(min=0, below=1)]` is 0 <= x < 1."""

    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, value: float) -> bool:
        """Whether `value` is within; NaN is within no bounds."""
        return (
            (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        bounds = {">=": self.min, ">": self.above, "<=": self.max, "<": self.below}
        return " and ".join(f"{sign} {in_words(bound)}" for sign, bound in bounds.items() if bound is not None)


def in_words(bound: float) -> str:
    """A bound as people write it: 0.5, and 16,777,216 in place of 1.67772e+07."""
    return f"{int(bound):,}" if float(bound).is_integer() and abs(bound) < 1e15 else f"{bound:g}"


class Kind(ABC):
    """What values a setting takes."""

    @abstractmethod
    def accepts(self, value: object) -> bool:
        """Whether `value`, as YAML gives it, is of this kind."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""

    @abstractmethod
    def __str__(self) -> str:
        """In words that follow 'takes'."""

    def cast(self, value: Any) -> Any:
        """An accepted value in its one written form: 1 becomes 1.0 where a number is meant."""
        return value

    def hint(self, value: object) -> str:
        """` Did you mean 'x'?` where an allowed word looks like `value`; else empty."""
        return ""


_WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text"}
_JSON = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}


@dataclass(frozen=True)
class Scalar(Kind):
    """A bool, int, float or str; numbers may have bounds."""

    type: str
    range: Range = Range()

    def accepts(self, value: object) -> bool:
        if self.type in ("int", "float"):
            number = isinstance(value, int) or (self.type == "float" and isinstance(value, float))
            return number and not isinstance(value, bool) and value == value and self.range.holds(value)  # type: ignore[arg-type]
        return isinstance(value, bool if self.type == "bool" else str)

    def schema(self) -> dict[str, Any]:
        names = {"min": "minimum", "max": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"}
        bounds = {names[key]: bound for key, bound in vars(self.range).items() if bound is not None}
        return {"type": _JSON[self.type], **bounds}

    def cast(self, value: Any) -> Any:
        return float(value) if self.type == "float" else value

    def __str__(self) -> str:
        return f"{_WORDS[self.type]} {self.range}".rstrip()


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few literals."""

    options: tuple[object, ...]

    def accepts(self, value: object) -> bool:
        return any(type(value) is type(option) and value == option for option in self.options)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}

    def hint(self, value: object) -> str:
        words = [option for option in self.options if isinstance(option, str)]
        found = get_close_matches(str(value), words, n=1, cutoff=0.6)
        return f" Did you mean {found[0]!r}?" if found else ""

    def __str__(self) -> str:
        *first, last = map(repr, self.options)
        return f"{', '.join(first)} or {last}" if first else last


@dataclass(frozen=True)
class ListOf(Kind):
    """A list whose items are all of one kind."""

    item: Kind

    def accepts(self, value: object) -> bool:
        return isinstance(value, list | tuple) and all(map(self.item.accepts, value))

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}

    def cast(self, value: Any) -> Any:
        return [self.item.cast(each) for each in value]

    def __str__(self) -> str:
        return f"a list, each item {self.item}"


@dataclass(frozen=True)
class MappingOf(Kind):
    """Names to values that are all of one kind."""

    item: Kind

    def accepts(self, value: object) -> bool:
        return isinstance(value, Mapping) and all(
            isinstance(key, str) and self.item.accepts(each) for key, each in value.items()
        )

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.item.schema()}

    def cast(self, value: Any) -> Any:
        return {key: self.item.cast(each) for key, each in value.items()}

    def __str__(self) -> str:
        return f"a mapping, each value {self.item}"


@dataclass(frozen=True)
class Either(Kind):
    """Any one of several kinds."""

    parts: tuple[Kind, ...]

    def accepts(self, value: object) -> bool:
        return any(part.accepts(value) for part in self.parts)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [part.schema() for part in self.parts]}

    def cast(self, value: Any) -> Any:
        return next(part for part in self.parts if part.accepts(value)).cast(value)

    def hint(self, value: object) -> str:
        return next(filter(None, (part.hint(value) for part in self.parts)), "")

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


@dataclass(frozen=True)
class Null(Kind):
    """Nothing: YAML's null."""

    def accepts(self, value: object) -> bool:
        return value is None

    def schema(self) -> dict[str, Any]:
        return {"type": "null"}

    def __str__(self) -> str:
        return "null"


@dataclass(frozen=True)
class Anything(Kind):
    """Whatever YAML can say; the plugin itself looks closer."""

    def accepts(self, value: object) -> bool:
        return True

    def schema(self) -> dict[str, Any]:
        return {}

    def __str__(self) -> str:
        return "any value"
