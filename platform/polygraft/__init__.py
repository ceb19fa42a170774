"""Polygraft: many tasks grafted onto one backbone, learned jointly and end to end."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from polygraft.version import __version__ as __version__

_NAMES = {
    "load": "polygraft.suite.load",
    "Suite": "polygraft.suite.schema",
    "Balance": "polygraft.balancing.own_loop",
    "train": "polygraft.distributed.launch",
    "compare": "polygraft.studies.compare",
    "affinity": "polygraft.studies.affinity",
    "evaluate": "polygraft.assembly.scoring",
    "load_model": "polygraft.assembly.model",
    "Model": "polygraft.assembly.model",
    "Run": "polygraft.assembly.run",
}

__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562): `import polygraft` stays free of torch, ray and mlflow."""
    if name not in _NAMES:
        raise AttributeError(f"module 'polygraft' has no attribute '{name}'")
    return getattr(import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
