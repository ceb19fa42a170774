"""Faults of a plugin, with the place where a suite mentions it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polygraft.core.errors import Fault, UserError
from polygraft.suite.schema import Suite


@contextmanager
def placed(suite: Suite, path: str) -> Iterator[None]:
    """A plugin cannot know where it is mentioned: a fault without a place is one of `path`."""
    try:
        yield
    except UserError as error:
        faults = [each if each.where else Fault(suite.where(path), f"{path}: {each.what}") for each in error.faults]
        raise UserError(faults) from None
