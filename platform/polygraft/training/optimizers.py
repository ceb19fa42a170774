"""Optimisers by name, their parameter groups, and their state as flat named tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def optimizer(name: str, parameters: Iterable[tuple[str, nn.Parameter]], *, lr: float, **settings: Any) -> Optimizer:
    """The optimiser `name` over named parameters; vectors (biases, norms) are not decayed, matrices are.

    Each group keeps its full rate under `full_lr`; a schedule scales from there.
    """
    named = list(parameters)
    groups = [
        {"params": [p for _, p in named if p.ndim > 1], "full_lr": lr},
        {"params": [p for _, p in named if p.ndim <= 1], "full_lr": lr, "weight_decay": 0.0},
    ]
    fused = {"fused": True} if name == "adamw" else {}  # one pass over the parameters, on CPUs too
    return OPTIMIZERS[name]([group for group in groups if group["params"]], lr=lr, **fused, **settings)


def set_rate(optimizer: Optimizer, factor: float) -> None:
    """Scale every group's learning rate to `factor` of its full one."""
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * factor


def optimizer_tensors(optimizer: Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimiser's state as `{"<parameter>/<slot>": tensor}`."""
    return {
        f"{names[parameter]}/{slot}": value
        for parameter, slots in optimizer.state.items()
        for slot, value in slots.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]) -> None:
    """Put a saved state back, slot by slot, on the parameters of the same names."""
    by_name = {name: parameter for parameter, name in names.items()}
    optimizer.state.clear()
    for key, value in tensors.items():
        name, slot = key.rsplit("/", 1)
        # A counter of steps stays where the optimiser keeps it, on the CPU for all but fused CUDA kernels.
        place = value if slot == "step" else value.to(by_name[name].device)
        optimizer.state[by_name[name]][slot] = place.clone()
