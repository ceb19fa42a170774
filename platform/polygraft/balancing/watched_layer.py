"""WatchedLayer: the last shared layer's input and output, seen by a hook in anyone's forward pass."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor, nn

from polygraft.core.errors import fault
from polygraft.core.features import Cut


class WatchedLayer:
    """Remembers a layer's input and output of its latest forward passes that build a graph, as many as a step has batches.

    Under torch.compile the hook, and so the layer, stays outside of the compiled graphs.
    """

    def __init__(self, layer: nn.Module, passes: int) -> None:
        self.seen: deque[tuple[Tensor, Tensor, int]] = deque(maxlen=passes)
        layer.register_forward_hook(torch.compiler.disable(self._see))

    def _see(self, _layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.grad_fn is not None:
            self.seen.append((inputs[0], output, output._version))

    def take(self, count: int) -> list[Cut]:
        """Of the latest `count` passes, in their order.

        Raises UserError when the layer did not run as often, or when its output was changed in place afterwards.
        """
        if len(self.seen) < count:
            raise fault(
                "layer= did not run before this backward. Give a layer that every forward pass runs; "
                "where it is compiled, make Balance before the first forward pass, for hooks are compiled in."
            )
        taken = list(self.seen)[-count:]
        self.seen.clear()
        if any(z._version != version for _, z, version in taken):
            raise fault("the output of layer= is changed in place. Take ReLU(inplace=False) behind it.")
        return [Cut((z,), layer_input=a, layer_output=z) for a, z, _ in taken]
