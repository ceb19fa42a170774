"""How a step learns: one file a way."""

from polygraft.core.registry import Registry

registry = Registry("training/steps")
