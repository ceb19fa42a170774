"""One small Ray for the tests of a module, and a place to launch from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import toy_suite
from polygraft.distributed.address import Address
from polygraft.distributed.session import RaySession


@pytest.fixture(scope="module")
def ray_session() -> Iterator[None]:
    """A Ray of two CPUs; launches of the module use it, and leave it as it is."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parent), *([before] if before else [])]
    )  # of toys.py
    try:
        with RaySession(Address(None, "test"), cpus=2, gpus=0):
            yield
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's runs lie; they share a cache and an MLflow."""
    folder = tmp_path_factory.mktemp("launch")
    toy_suite.write_table(folder)
    return folder


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, as the place where commands are given."""
    monkeypatch.chdir(home)
    return home
