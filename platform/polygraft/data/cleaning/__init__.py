"""Cleaning steps: each is fitted on the training rows alone and kept with the model."""

from polygraft.core.registry import Registry

registry = Registry("data/cleaning")
