"""Layout: where each parameter's numbers lie in one flat vector, the same for any number of workers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polygraft.balancing.collectives import ALIGN


class Layout:
    """Parameters one after the other, each beginning at a multiple of ALIGN numbers; the gaps hold zeros.

    size: numbers in the flat vector, gaps included. dtype: float32, or float64 when a parameter is.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = tuple(parameters)
        self.starts: list[int] = []
        self.size = 0
        for parameter in self.parameters:
            self.starts.append(self.size)
            self.size += -(-parameter.numel() // ALIGN) * ALIGN
        double = any(parameter.dtype == torch.float64 for parameter in self.parameters)
        self.dtype = torch.float64 if double else torch.float32
        self.device = self.parameters[0].device if self.parameters else torch.device("cpu")

    def flatten(self, gradients: Sequence[Tensor | None]) -> Tensor:
        """[size]; a gradient that is None is zeros."""
        flat = torch.zeros(self.size, dtype=self.dtype, device=self.device)
        filled = [(view, each) for view, each in zip(self._views(flat), gradients, strict=True) if each is not None]
        if filled:
            torch._foreach_copy_([view for view, _ in filled], [each for _, each in filled])
        return flat

    def parts(self, flat: Tensor) -> list[Tensor]:
        """The flat vector's views in the parameters' shapes and dtypes."""
        views = self._views(flat)
        return [view.to(parameter.dtype) for view, parameter in zip(views, self.parameters, strict=True)]

    def own(self, gradients: Sequence[Tensor | None]) -> list[Tensor]:
        """The gradients as contiguous tensors that share no memory, None as zeros, so that they may be changed in place.

        Autograd may give one tensor to two parameters (of a sum), or one that is expanded.
        """
        owned: list[Tensor] = []
        seen: set[int] = set()
        for gradient, parameter in zip(gradients, self.parameters, strict=True):
            if gradient is None:
                mine = torch.zeros_like(parameter, memory_format=torch.contiguous_format)
            else:
                mine = gradient.contiguous()
                if mine.data_ptr() in seen or mine.untyped_storage().nbytes() != mine.nbytes:
                    mine = mine.clone()
            seen.add(mine.data_ptr())
            owned.append(mine)
        return owned

    def _views(self, flat: Tensor) -> list[Tensor]:
        return [
            flat[start : start + parameter.numel()].view(parameter.shape)
            for start, parameter in zip(self.starts, self.parameters, strict=True)
        ]
