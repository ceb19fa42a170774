"""Balancers: how the gradients of several tasks become one; a file is a method."""

from polygraft.core.registry import Registry

registry = Registry("balancing")
