"""Extras: which optional packages a plugin wants, and whether they are here; read from metadata, importing nothing."""

from __future__ import annotations

import re
from importlib import metadata


def absent(extra: str) -> tuple[str, ...]:
    """The packages of `polygraft[extra]` that are not installed."""
    try:
        requirements = metadata.requires("polygraft") or []
    except metadata.PackageNotFoundError:  # a source tree that nobody installed: nothing is known of extras
        return (extra,)
    if not any(_of(extra, line) for line in requirements):  # newer than what was installed
        return () if _installed(extra) else (extra,)
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in requirements if _of(extra, line)]
    return tuple(name for name in names if not _installed(name))


def install_command(extra: str) -> str:
    """What a person types to get it."""
    return f"pip install 'polygraft[{extra}]'"


def _of(extra: str, requirement: str) -> bool:
    return re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", requirement) is not None


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
