"""The registry of objectives."""

from polygraft.core.registry import Registry

registry = Registry("objectives")
