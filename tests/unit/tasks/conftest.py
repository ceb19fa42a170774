"""The recipes of tasks/, imported from their files as the data room does it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recipe_of_{file.parent.name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
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
