"""Source: what a Python file says about its classes, read as a syntax tree and never run."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]  # the folder of `polygraft`


@dataclass(frozen=True)
class Class:
    """A class with what it inherits, as far as its bases' files can be found.

    facts: class attributes with literal values. constructor: the nearest `__init__`; None when there is none.
    origins: the files of its bases, and of theirs.
    """

    name: str
    doc: str
    facts: dict[str, Any]
    constructor: ast.FunctionDef | None
    origins: frozenset[Path]


@dataclass(frozen=True)
class Source:
    """A parsed file: its docstring, its top-level classes, and the files its imported names come from."""

    path: Path
    doc: str
    classes: dict[str, ast.ClassDef]
    origins: dict[str, tuple[Path, str]] = field(default_factory=dict)


def read_source(path: Path) -> Source:
    """Parse `path`; remembered until the file changes. Raises SyntaxError, UnicodeDecodeError, OSError."""
    return _parse(path, path.stat().st_mtime_ns)


@cache
def _parse(path: Path, _mtime_ns: int) -> Source:
    tree = ast.parse(path.read_bytes(), filename=str(path))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    origins = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and (file := _file(node.module, node.level, path)):
            origins.update({alias.asname or alias.name: (file, alias.name) for alias in node.names})
    return Source(path, ast.get_docstring(tree) or "", classes, origins)


def _file(module: str, level: int, importer: Path) -> Path | None:
    """The file of an imported module, where it is one of ours or stands beside the importer."""
    parts = module.split(".")
    if level:
        start = importer.parents[level - 1]
    elif parts[0] == PACKAGE.name:
        start, parts = PACKAGE, parts[1:]
    else:
        return None
    file = start.joinpath(*parts).with_suffix(".py")
    return file if file.is_file() else None


def read_class(source: Source, name: str) -> Class:
    """Class `name` of `source`, its own words over what it inherits."""
    node = source.classes[name]
    facts: dict[str, Any] = {}
    constructor: ast.FunctionDef | None = None
    origins: set[Path] = set()
    for base in reversed(node.bases):
        if found := _base(source, base, name):
            origin, inherited = found
            origins |= {origin, *inherited.origins}
            facts.update(inherited.facts)
            constructor = inherited.constructor or constructor
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            constructor = statement
        for fact, value in _assigned(statement):
            facts.pop(fact, None)
            try:
                facts[fact] = ast.literal_eval(value)
            except ValueError:
                continue  # computed when the class is made: no fact that can be read
    return Class(name, ast.get_docstring(node) or "", facts, constructor, frozenset(origins))


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    """The public names that a class-level statement gives a value."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.startswith("_"):
            return [(name, value)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if not name.startswith("_"):
            return [(name, value)]
    return []


def _base(source: Source, base: ast.expr, name: str) -> tuple[Path, Class] | None:
    """The base class with its file, where its file is known; torch's and the standard library's are not looked up."""
    if isinstance(base, ast.Subscript):
        base = base.value
    if not isinstance(base, ast.Name):
        return None
    if base.id in source.classes and base.id != name:
        return source.path, read_class(source, base.id)
    if base.id in source.origins:
        path, original = source.origins[base.id]
        origin = read_source(path)
        return (path, read_class(origin, original)) if original in origin.classes else None
    return None
