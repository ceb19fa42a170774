"""Quality checks: each looks at a table's survey for one kind of dirt."""

from polygraft.core.registry import Registry

registry = Registry("data/quality")
