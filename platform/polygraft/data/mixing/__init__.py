"""Mixtures: which tables a step takes."""

from polygraft.core.registry import Registry

registry = Registry("data/mixing")
