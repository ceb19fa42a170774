"""Travels with a model in MLflow and loads it, by the polygraft that is installed, else by the copy that travels with it.

MLflow puts a model's code before everything else on the path. Were that the package itself, whoever loads an old model and then
imports polygraft would get the old one; so this one file stands there, and the copy, in `polygraft_carried/`, comes last.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any


def _load_pyfunc(data_path: str) -> Any:
    """What MLflow calls with the path of the model's folder."""
    if importlib.util.find_spec("polygraft") is None:
        sys.path.append(str(Path(__file__).parent / "polygraft_carried"))
    return importlib.import_module("polygraft.assembly.pyfunc")._load_pyfunc(data_path)
