"""The registry of ways of sharing."""

from polygraft.core.registry import Registry

registry = Registry("models/sharing")
