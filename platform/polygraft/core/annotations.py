"""Annotations: the kind that a constructor's annotation means, read from its syntax tree."""

from __future__ import annotations

import ast

from polygraft.core.kinds import Anything, Choice, Either, Kind, ListOf, MappingOf, Null, Range, Scalar


def read_kind(annotation: ast.expr | None) -> Kind:
    """The kind an annotation means. Raises ValueError, in words, for one that a suite cannot hold."""
    match annotation:
        case ast.Name(id=("bool" | "int" | "float" | "str") as name):
            return Scalar(name)
        case ast.Name(id="Any" | "object"):
            return Anything()
        case ast.Constant(value=None):
            return Null()
        case ast.Constant(value=str(text)):  # a quoted annotation
            return read_kind(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            parts = [part for side in (left, right) for part in _parts(read_kind(side))]
            return Either(tuple(parts))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            value = ast.literal_eval(options)
            return Choice(value if isinstance(value, tuple) else (value,))
        case ast.Subscript(value=ast.Name(id="list" | "Sequence"), slice=item):
            return ListOf(read_kind(item))
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant(value=rest)])) if (
            rest is ...
        ):
            return ListOf(read_kind(item))
        case ast.Subscript(value=ast.Name(id="dict" | "Mapping"), slice=ast.Tuple(elts=[ast.Name(id="str"), item])):
            return MappingOf(read_kind(item))
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[base, ast.Call() as call])):
            return _bounded(read_kind(base), call)
    written = ast.unparse(annotation) if annotation else "nothing"
    raise ValueError(f"the annotation {written} is none that a suite can hold")


def _parts(kind: Kind) -> tuple[Kind, ...]:
    return kind.parts if isinstance(kind, Either) else (kind,)


def _bounded(kind: Kind, call: ast.Call) -> Kind:
    """`kind` with the bounds of `Range(...)`, which apply to its numbers."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "Range"):
        raise ValueError(f"the annotation {ast.unparse(call)} is no Range")
    positional = dict(zip(("min", "max", "above", "below"), map(ast.literal_eval, call.args), strict=False))
    bounds = Range(**positional, **{word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg})
    match kind:
        case Scalar(type="int" | "float" as number):
            return Scalar(number, bounds)
        case ListOf(item=item):
            return ListOf(_bounded(item, call))
        case Either(parts=parts):
            return Either(tuple(part if isinstance(part, Null | Choice) else _bounded(part, call) for part in parts))
    raise ValueError(f"a Range bounds numbers, not {kind}")
