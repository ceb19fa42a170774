"""The catalogue: which plugins a room holds and what settings they take, read from their files without importing one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from polygraft.core.candidates import Candidate, candidates
from polygraft.core.errors import Fault, nearest
from polygraft.core.kinds import Range as Range
from polygraft.core.plugin import Plugin as Plugin
from polygraft.core.plugin import PluginError, read_plugin
from polygraft.core.plugin import Setting as Setting

ROOMS = {
    "data/cleaning": ("cleaning step", "cleaning"),
    "data/encoders": ("encoder", "encoders"),
    "data/mixing": ("mixture", "mixtures"),
    "data/target_kinds": ("target kind", "target kinds"),
    "data/samplers": ("sampler", "samplers"),
    "data/quality": ("quality check", "checks"),
    "models/stems": ("stem", "stems"),
    "models/trunks": ("trunk", "trunks"),
    "models/sharing": ("sharing", "sharing"),
    "models/heads": ("head", "heads"),
    "balancing": ("balancer", "balancers"),
    "objectives": ("objective", "objectives"),
    "training/steps": ("step", "steps"),
}
"""Each plugin room: what one of its plugins is called, and what people call the room in `polygraft list`."""


class Catalogue(Mapping[str, Plugin]):
    """A room's plugins by name: ours, then those of installed packages, then those beside the suite.

    broken: files that should be plugins and are not, by name, each with what is wrong.
    """

    def __init__(self, room: str, plugins: dict[str, Plugin], broken: dict[str, Fault]) -> None:
        self.room, self.plugins, self.broken = room, plugins, broken
        self.singular, self.plural = ROOMS.get(room, ("plugin", room))

    def __getitem__(self, name: str) -> Plugin:
        return self.plugins[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plugins)

    def __len__(self) -> int:
        return len(self.plugins)

    def names(self, **facts: object) -> list[str]:
        """The plugins whose class facts are these; for a fact that is a tuple, those that hold the value."""

        def fits(plugin: Plugin) -> bool:
            return all(
                value == plugin.facts.get(fact) or (isinstance(held := plugin.facts.get(fact), tuple) and value in held)
                for fact, value in facts.items()
            )

        return [name for name, plugin in self.items() if fits(plugin)]

    def problems(self, name: str, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(`name` or a setting, what is wrong with it); empty when the plugin can be made of these settings."""
        if name in self.broken:
            return [("name", f"{self.broken[name]}")]
        if name not in self:
            shown = f"`polygraft list {self.plural}` shows all {len(self)}." if self else "There are none."
            return [("name", f"no {self.singular} is called '{name}'.{nearest(name, self)} {shown}")]
        return self[name].problems(settings)

    def faults(self, name: str, settings: Mapping[str, Any], where: str = "") -> list[Fault]:
        """The same as faults at `where`."""
        return [Fault(where, f"{key}: {what}") for key, what in self.problems(name, settings)]


def catalogue(room: str, beside: Path | None = None) -> Catalogue:
    """The plugins of `room` (`balancing`, `models/trunks`, ...): ours, installed ones, those in `<beside>/plugins/<room>`."""
    plugins: dict[str, Plugin] = {}
    broken: dict[str, Fault] = {}
    for candidate in candidates(room, beside):
        name, path = candidate.name, candidate.path
        if name in plugins:
            other = plugins[name].module or plugins[name].path
            broken[name] = Fault(str(path), f"'{name}' is already the name of {other}; call this one something else.")
            continue
        try:
            if plugin := (_read_ours if candidate.ours else read_plugin)(room, candidate):
                plugins[name] = plugin
        except SyntaxError as error:
            broken[name] = Fault(f"{path}:{error.lineno or 1}", f"this is not Python: {error.msg}.")
        except (PluginError, OSError) as error:
            broken[name] = Fault(str(path), f"{error}.")
    return Catalogue(room, dict(sorted(plugins.items())), broken)


@cache
def _read_ours(room: str, candidate: Candidate) -> Plugin | None:
    """The package's own files are read once a process: a table of 32 columns asks for its encoders a hundred times."""
    return read_plugin(room, candidate)
