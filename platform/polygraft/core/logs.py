"""Where words go: the result alone to stdout, everything else to stderr."""

from __future__ import annotations

import logging
import sys


def log() -> logging.Logger:
    """Polygraft's one logger."""
    return logging.getLogger("polygraft")


def set_up(level: int = logging.INFO) -> None:
    """Send polygraft's words to stderr, plain; called once by the command line and by each worker."""
    logger = log()
    logger.handlers[:] = [logging.StreamHandler(sys.stderr)]
    logger.handlers[0].setFormatter(logging.Formatter("%(message)s"))
    logger.setLevel(level)
    logger.propagate = False
