"""Where a run comes from, in words that MLflow takes: flat parameters and the git commit."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MOST_LETTERS_IN_A_KEY = 250
MOST_LETTERS_IN_A_VALUE = 6000
_REFUSED = re.compile(r"[^/\w.\- :]")


def metric_key(key: str) -> str:
    """The key with what MLflow refuses in a name, as the `~` of a cosine, replaced by `-`, and no longer than it allows."""
    return _REFUSED.sub("-", key)[:MOST_LETTERS_IN_A_KEY]


def flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """`{"train.optimizer.lr": "0.001"}` of nested settings; lists of plain values stay one, as JSON."""
    return {
        metric_key(place): text if len(text) <= MOST_LETTERS_IN_A_VALUE else text[: MOST_LETTERS_IN_A_VALUE - 1] + "…"
        for place, text in _leaves(settings, "")
        if place
    }


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is at, with `+changes` where tracked files differ from it; None outside a repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


def _leaves(value: Any, place: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        pairs: list[tuple[str, Any]] = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, Sequence) and any(isinstance(each, Mapping) for each in value):
        pairs = [(str(number), each) for number, each in enumerate(value)]
    else:
        return [(place, value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))]
    return [leaf for key, each in pairs for leaf in _leaves(each, f"{place}.{key}" if place else key)]


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        asked = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
