"""Encoders: how a column of some kind becomes columns of the encoded matrices."""

from polygraft.core.registry import Registry

registry = Registry("data/encoders")
