"""Samplers: how often a training row comes."""

from polygraft.core.registry import Registry

registry = Registry("data/samplers")
