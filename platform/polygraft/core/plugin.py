"""A plugin as its file describes it: its class, its class facts, and its constructor, which is the schema of its settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polygraft.core.annotations import read_kind
from polygraft.core.candidates import Candidate
from polygraft.core.errors import nearest
from polygraft.core.extras import absent
from polygraft.core.kinds import Kind
from polygraft.core.source import PACKAGE, read_class, read_source


class PluginError(ValueError):
    """A file that should be a plugin and cannot be one."""


@dataclass(frozen=True)
class Setting:
    """An ordinary parameter of a plugin's constructor. `doc` is its line of the class's docstring."""

    name: str
    kind: Kind
    default: Any
    required: bool
    doc: str = ""


@dataclass(frozen=True)
class Plugin:
    """What a plugin's file says of it.

    source: the first line of the file's docstring: paper, link, equation. doc: the class's docstring.
    facts: its class attributes with literal values, inherited ones included.
    asks: positional-only parameters of its constructor: assembly gives them, a suite does not.
    """

    room: str
    name: str
    class_name: str
    path: Path
    module: str
    source: str
    doc: str
    facts: dict[str, Any]
    asks: tuple[str, ...]
    settings: tuple[Setting, ...]

    @property
    def summary(self) -> str:
        """The first line of the class's docstring."""
        return self.doc.partition("\n")[0]

    @property
    def absent(self) -> tuple[str, ...]:
        """Packages of its extra that are not installed; empty when it can be used."""
        return absent(self.facts["extra"]) if "extra" in self.facts else ()

    def complete(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """`settings`, which are without fault, with every default written in, in the constructor's order."""
        return {
            each.name: each.kind.cast(settings[each.name]) if each.name in settings else each.default
            for each in self.settings
        }

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(setting, what is wrong with it) for each setting that is unknown, missing, of the wrong kind or out of range."""
        known = {each.name: each for each in self.settings}
        found = []
        for name, value in settings.items():
            if name not in known:
                has = f"It has {', '.join(known)}." if known else "It has none."
                found.append((name, f"'{self.name}' has no setting '{name}'.{nearest(str(name), known)} {has}"))
            elif not (kind := known[name].kind).accepts(value):
                found.append((name, f"takes {kind}, not {_short(value)}.{kind.hint(value)}"))
        missing = [each for each in self.settings if each.required and each.name not in settings]
        return found + [(each.name, f"'{self.name}' needs it: {each.kind}.") for each in missing]


def read_plugin(room: str, candidate: Candidate) -> Plugin | None:
    """The plugin in the candidate's file; None for one of our files that is something else.

    Raises PluginError, in words, for what should be a plugin and cannot be one.
    """
    source = read_source(candidate.path)
    wanted = candidate.name.replace("_", "").lower()
    class_name = next((each for each in source.classes if each.lower() == wanted), None)
    if class_name is None:
        if candidate.ours:
            return None
        raise PluginError(
            f"no class here is called {''.join(map(str.capitalize, candidate.name.split('_')))}, in any capitals"
        )
    read = read_class(source, class_name)
    base = PACKAGE / room / "base.py"
    if base.is_file() and base not in read.origins:
        if candidate.ours:
            return None
        raise PluginError(
            f"{class_name} derives from no class of polygraft/{room}/base.py, as a plugin of this room does"
        )
    asks, settings = _parameters(read.constructor, read.doc) if read.constructor else ((), ())
    return Plugin(
        room=room,
        name=candidate.name,
        class_name=class_name,
        path=candidate.path,
        module=candidate.module,
        source=source.doc.partition("\n")[0],
        doc=read.doc,
        facts=read.facts,
        asks=asks,
        settings=settings,
    )


def _parameters(constructor: ast.FunctionDef, doc: str) -> tuple[tuple[str, ...], tuple[Setting, ...]]:
    """What the constructor asks of assembly, and its settings."""
    args = constructor.args
    if args.vararg or args.kwarg:
        raise PluginError(f"line {constructor.lineno}: a plugin's constructor names its settings, without * and **")
    positional = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    asks = tuple(each.arg for each in args.posonlyargs if each.arg != "self")
    ordinary = list(zip(positional, defaults, strict=True))[len(args.posonlyargs) :]
    named = [*ordinary, *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    docs = _docs(doc, [arg.arg for arg, _ in named])
    return asks, tuple(_setting(arg, default, docs) for arg, default in named if arg.arg != "self")


def _docs(doc: str, names: list[str]) -> dict[str, str]:
    """What a class's docstring says of each of `names`: `name: words.` or `one, other: words.`, up to the next such or the paragraph's end."""
    told = {}
    any_name = "|".join(map(re.escape, names))
    for paragraph in re.split(r"\n\s*\n", doc) if names else []:
        text = " ".join(paragraph.split())
        starts = list(re.finditer(rf"(?:^|(?<=[.;] ))((?:{any_name})(?:, (?:{any_name}))*): ", text))
        for start, end in zip(starts, [*(each.start() for each in starts[1:]), len(text)], strict=False):
            told.update(dict.fromkeys(start[1].split(", "), text[start.end() : end].strip()))
    return told


def _setting(arg: ast.arg, default: ast.expr | None, docs: Mapping[str, str]) -> Setting:
    try:
        kind = read_kind(arg.annotation)
        value = None if default is None else ast.literal_eval(default)
        if default is not None and not kind.accepts(value):
            raise ValueError(f"its default {_short(value)} is not {kind}")
    except ValueError as error:
        raise PluginError(f"line {arg.lineno}: parameter '{arg.arg}': {error}") from None
    # A suite may say `from:` or `lambda:`; in Python the parameter is then written `from_`, `lambda_`.
    name = arg.arg.removesuffix("_")
    return Setting(name, kind, None if default is None else kind.cast(value), default is None, docs.get(arg.arg, ""))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
