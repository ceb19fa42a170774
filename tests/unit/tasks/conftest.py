"""The recipes of tasks/, imported from their files as the data room does it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recipe_of_{file.parent.name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def flights(repository: Path) -> ModuleType:
    return imported(repository / "tasks/flights/recipe.py")


@pytest.fixture(scope="session")
def census(repository: Path) -> ModuleType:
    return imported(repository / "tasks/census/recipe.py")


@pytest.fixture(scope="session")
def star(repository: Path) -> ModuleType:
    return imported(repository / "tasks/star/recipe.py")


@pytest.fixture(scope="session")
def yeast(repository: Path) -> ModuleType:
    return imported(repository / "tasks/yeast/recipe.py")


@pytest.fixture(scope="session")
def airports(repository: Path) -> ModuleType:
    return imported(repository / "tasks/airports/recipe.py")


@pytest.fixture(scope="session")
def g2p(repository: Path) -> ModuleType:
    return imported(repository / "tasks/g2p/recipe.py")


@pytest.fixture(scope="session")
def translation(repository: Path) -> ModuleType:
    return imported(repository / "tasks/translation/recipe.py")


@pytest.fixture(scope="session")
def kanji(repository: Path) -> ModuleType:
    return imported(repository / "tasks/kanji/recipe.py")


@pytest.fixture(scope="session")
def weather(repository: Path) -> ModuleType:
    return imported(repository / "tasks/weather/recipe.py")


@pytest.fixture(scope="session")
def vowels(repository: Path) -> ModuleType:
    return imported(repository / "tasks/vowels/recipe.py")


@pytest.fixture(scope="session")
def shapes28(repository: Path) -> ModuleType:
    return imported(repository / "tasks/shapes28/recipe.py")
