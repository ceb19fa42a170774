"""The registry of heads."""

from polygraft.core.registry import Registry

registry = Registry("models/heads")
