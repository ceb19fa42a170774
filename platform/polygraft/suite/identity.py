"""Identity: when two suites are the same run's, and where they differ."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from polygraft.suite.schema import Suite, resolved

_OUTSIDE = ("storage", "tracking", "search")


def identity(suite: Suite) -> dict[str, Any]:
    """What decides a run's numbers: all but where it is kept, what `tune` may vary, and how many workers share the work.

    Of the workers the threads stay: bits depend on them.
    """
    content = {key: value for key, value in resolved(suite).items() if key not in _OUTSIDE}
    return content | {"workers": {"threads": suite.workers.threads}}


def digest(suite: Suite) -> str:
    """Sha256 of the suite's identity, in hex; equal for suites whose runs end with the same bits."""
    return hashlib.sha256(json.dumps(identity(suite), sort_keys=True).encode()).hexdigest()


def differing(a: Suite, b: Suite) -> list[str]:
    """The dotted paths at which two suites' identities differ, in the suite's order; empty for the same."""
    mine, theirs = _leaves(identity(a), ""), _leaves(identity(b), "")
    return [path for path in mine | theirs if path not in mine or path not in theirs or mine[path] != theirs[path]]


class _Quoting(SafeRepresenter):
    """Quotes every text that is more than a plain word: ruamel writes the key `?0` bare, and reads it back as `0`."""

    def represent_str(self, data: Any) -> Any:
        """A YAML scalar node."""
        plain = re.fullmatch(r"[A-Za-z_/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*", data)
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')


_Quoting.add_representer(str, _Quoting.represent_str)


def as_yaml(suite: Suite) -> str:
    """The resolved suite as YAML 1.2; loading it gives an equal suite."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Quoting
    yaml.default_flow_style = None  # lists and settings on one line each
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 120
    written = io.StringIO()
    yaml.dump(resolved(suite), written)
    return written.getvalue()


def _leaves(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        return {k: v for key, each in value.items() for k, v in _leaves(each, f"{path}.{key}" if path else key).items()}
    return {path: value}
