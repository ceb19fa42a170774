"""What all tests share: the repository's root, a browser where there is one, and an environment without surprises."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# Before anything imports ray or mlflow: neither reports to its makers, and a local Ray asks for no token.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", MLFLOW_DISABLE_TELEMETRY="true", RAY_AUTH_MODE="disabled")
for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def browser() -> str:
    """The path of a Chromium; without one the test is skipped, or fails where POLYGRAFT_BROWSER=required (.ci/run)."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("POLYGRAFT_BROWSER") == "required":
        pytest.fail("no Chromium is installed, and POLYGRAFT_BROWSER=required")
    return found or pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
