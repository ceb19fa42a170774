"""The registry of target kinds."""

from polygraft.core.registry import Registry

registry = Registry("data/target_kinds")
