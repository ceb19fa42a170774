"""WatchedLayer: the last shared layer's input and output, seen by a hook in anyone's forward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polygraft.core.errors import fault
from polygraft.core.features import Cut


class WatchedLayer:
    """Remembers a layer's input and output of its latest forward pass that builds a graph.

    Under torch.compile the hook, and so the layer, stays outside of the compiled graphs.
    """

    def __init__(self, layer: nn.Module) -> None:
        self.seen: tuple[Tensor, Tensor, int] | None = None
        layer.register_forward_hook(torch.compiler.disable(self._see))

    def _see(self, _layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.grad_fn is not None:
            self.seen = (inputs[0], output, output._version)

    def take(self) -> Cut:
        """Raises UserError when the layer did not run, or when its output was changed in place afterwards."""
        if self.seen is None:
            raise fault(
                "layer= did not run before this backward. Give a layer that every forward pass runs; "
                "where it is compiled, make Balance before the first forward pass, for hooks are compiled in."
            )
        (a, z, version), self.seen = self.seen, None
        if z._version != version:
            raise fault("the output of layer= is changed in place. Take ReLU(inplace=False) behind it.")
        return Cut((z,), layer_input=a, layer_output=z)
