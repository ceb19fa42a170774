"""Laws of every plugin of every room: what is read from its file is what Python says once it is imported."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Literal

import pytest

from polygraft.core.catalogue import ROOMS, Plugin, Range, catalogue

PLUGINS = [pytest.param(plugin, id=f"{room}/{name}") for room in ROOMS for name, plugin in catalogue(room).items()]
SAMPLES = [
    True,
    False,
    0,
    1,
    2,
    -1,
    10**6,
    0.5,
    -0.5,
    1.5,
    1e9,
    "",
    "a",
    None,
    [],
    [0],
    [1, 2],
    [-1],
    [0.5],
    ["a"],
    {},
    {"a": 1},
    {"a": "b"},
]


def made(plugin: Plugin) -> type:
    if plugin.absent:
        pytest.skip(f"needs the extra '{plugin.facts['extra']}'")
    return getattr(import_module(plugin.module), plugin.class_name)


def fits(hint: Any, value: object) -> bool:
    """Whether a value is of an imported annotation: the catalogue's reading, said once more from Python's own objects."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        bounds = next(each for each in args[1:] if isinstance(each, Range))
        numbers = value if isinstance(value, list) else [] if value is None or isinstance(value, str) else [value]
        return fits(args[0], value) and all(bounds.holds(each) for each in numbers)
    if origin in (typing.Union, types.UnionType):
        return any(fits(each, value) for each in args)
    if origin is Literal:
        return any(type(each) is type(value) and each == value for each in args)
    if origin in (list, tuple, Sequence):
        return isinstance(value, list) and all(fits(args[0], each) for each in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(fits(args[1], each) for each in value.values())
    if hint in (Any, object):
        return True
    if hint in (None, type(None)):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint


@pytest.mark.parametrize("room", ROOMS)
def test_no_plugin_of_ours_is_broken(room: str) -> None:
    assert catalogue(room).broken == {}


@pytest.mark.parametrize(
    "room", ["balancing", "data/cleaning", "data/encoders", "models/trunks", "objectives", "training/steps"]
)
def test_a_room_has_plugins(room: str) -> None:
    assert len(catalogue(room)) > 0


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_constructor_is_the_schema(plugin: Plugin) -> None:
    cls = made(plugin)
    parameters = [] if cls.__init__ is object.__init__ else list(inspect.signature(cls).parameters.values())
    if plugin.settings == () and plugin.asks == ():
        parameters = [
            each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]  # nn.Module's
    assert plugin.asks == tuple(each.name for each in parameters if each.kind is each.POSITIONAL_ONLY)
    ordinary = [each for each in parameters if each.kind is not each.POSITIONAL_ONLY]
    assert [each.name for each in plugin.settings] == [each.name.removesuffix("_") for each in ordinary]
    for setting, parameter in zip(plugin.settings, ordinary, strict=True):
        assert setting.required == (parameter.default is inspect.Parameter.empty)
        if not setting.required:
            plain = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert setting.default == plain
        hint = eval(
            parameter.annotation, cls.__init__.__globals__
        )  # those of positional-only ones may be for the type checker alone
        read = [value for value in SAMPLES if setting.kind.accepts(value)]
        assert read == [value for value in SAMPLES if fits(hint, value)], setting.name


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_facts_that_are_read_are_the_class_s(plugin: Plugin) -> None:
    cls = made(plugin)
    assert {fact: getattr(cls, fact) for fact in plugin.facts} == plugin.facts


@pytest.mark.parametrize("plugin", PLUGINS)
def test_no_setting_has_the_name_of_a_section_s_own_key(plugin: Plugin) -> None:
    own = {"name"} | ({"gradients", "rank", "agreement_every", "every"} if plugin.room == "balancing" else set())
    assert not own & {each.name for each in plugin.settings}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_says_what_it_is_and_where_it_is_from(plugin: Plugin) -> None:
    assert plugin.summary.endswith((".", "?"))
    assert plugin.source
