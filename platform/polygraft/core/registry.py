"""A registry makes a room's plugins by name, importing a file only when its plugin is asked for."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any

from polygraft.core.catalogue import Plugin, catalogue
from polygraft.core.errors import Fault, UserError, fault
from polygraft.core.extras import install_command


class Registry:
    """The plugins of one room. `beside` is the suite's folder, whose `plugins/<room>/` holds the user's own."""

    def __init__(self, room: str) -> None:
        self.room = room

    def find(self, name: str, beside: Path | None = None) -> type[Any]:
        """The class behind `name`. Raises UserError for an unknown name, a missing extra, a file that does not import."""
        return _class(self._plugin(name, None, beside))

    def make(
        self, name: str, settings: Mapping[str, Any] | None = None, *, beside: Path | None = None, **given: Any
    ) -> Any:
        """A plugin of these settings. Of `given` it is handed what its constructor asks for, and nothing else.

        Raises UserError for an unknown name or setting, a value that does not fit, or a missing extra.
        """
        settings = settings or {}
        plugin = self._plugin(name, settings, beside)
        asked = []
        for each in plugin.asks:
            if each not in given:  # it has a default, and so have all after it; if not, Python says so
                break
            asked.append(given[each])
        complete = plugin.complete(settings).items()
        return _class(plugin)(*asked, **{f"{key}_" if iskeyword(key) else key: value for key, value in complete})

    def _plugin(self, name: str, settings: Mapping[str, Any] | None, beside: Path | None) -> Plugin:
        """The plugin, once its name and (unless None) its settings are without fault."""
        plugins = catalogue(self.room, beside)
        if name not in plugins:
            raise UserError([Fault("", what) for _, what in plugins.problems(name, {})])
        if problems := plugins[name].problems(settings) if settings is not None else []:
            raise UserError([Fault("", f"{plugins.singular} '{name}': {key}: {what}") for key, what in problems])
        return plugins[name]


def _class(plugin: Plugin) -> type[Any]:
    if lacking := plugin.absent:
        extra = plugin.facts["extra"]
        raise fault(f"'{plugin.name}' needs {', '.join(lacking)}. Install it with: {install_command(extra)}")
    found: type[Any] = getattr(_module(plugin), plugin.class_name)
    return found


def _module(plugin: Plugin) -> ModuleType:
    if plugin.module:
        return import_module(plugin.module)
    # A user's own file is known by its path: two suites may each have a `mine.py`.
    name = f"polygraft_plugin_{hashlib.sha256(str(plugin.path.resolve()).encode()).hexdigest()[:12]}_{plugin.name}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, plugin.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise fault(f"the plugin does not import: {type(error).__name__}: {error}", str(plugin.path)) from error
    return module
