"""The registry of stems."""

from polygraft.core.registry import Registry

registry = Registry("models/stems")
