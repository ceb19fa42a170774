"""The registry of trunks."""

from polygraft.core.registry import Registry

registry = Registry("models/trunks")
