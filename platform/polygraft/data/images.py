"""Images of one size in one uint8 array; they are moved, mirrored, mixed and normalised when a batch is drawn, never in the cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polygraft.data.augmentation import Augmentation, Moves, Places


@dataclass(frozen=True)
class Images:
    """array: uint8 [rows, c, H, W]. scale, shift: float32 [c], what normalises a channel: scale * pixel + shift."""

    array: np.ndarray
    augmentation: Augmentation
    scale: np.ndarray
    shift: np.ndarray

    def __len__(self) -> int:
        return len(self.array)

    def still(self, rows: np.ndarray) -> np.ndarray:
        """float32 [n, c, h, w]: these rows as evaluation and prediction see them."""
        return self._draw(self.augmentation.still(rows))

    def moved(self, rows: np.ndarray, places: Places) -> np.ndarray:
        """float32 [n, c, h, w]: these rows as training sees them at these places."""
        return self._draw(self.augmentation.drawn(rows, places))

    def _draw(self, parts: tuple[Moves, ...]) -> np.ndarray:
        from polygraft.data.kernels.images import draw_images

        out = np.empty((len(parts[0].rows), self.array.shape[1], *self.augmentation.size), np.float32)
        for number, part in enumerate(parts):
            draw_images(self.array, part.rows, part.moves, part.shares, self.scale, self.shift, out, number == 0)
        return out
