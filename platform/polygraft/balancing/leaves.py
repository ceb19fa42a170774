"""Which parameters a loss reaches, read from its graph: in anyone's own loop, nobody lists a task's own parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from torch import Tensor, nn
from torch.autograd.graph import Node

from polygraft.core.errors import fault

UNUSED = "_DDPSinkBackward"  # the node DDP puts behind its outputs when it looks for unused parameters


def own_leaves(
    losses: Mapping[str, Tensor], stop: Sequence[Tensor], shared: Iterable[nn.Parameter]
) -> dict[str, list[nn.Parameter]]:
    """By task, the parameters that its loss alone reaches above `stop` (the cut; empty to walk the whole graph).

    Raises UserError for a parameter that two tasks reach and `shared` lacks, for a shared one above the cut, and for
    DDP with find_unused_parameters=True.
    """
    common = {id(each) for each in shared}
    ends = {each.grad_fn for each in stop if each.grad_fn is not None}
    reached = {task: _leaves(loss, ends) for task, loss in losses.items()}
    if stop and (late := [each for found in reached.values() for key, each in found.items() if key in common]):
        raise fault(
            f"a parameter of shape {tuple(late[0].shape)} is in shared=, but comes after the layer or the features. "
            "Give the last shared layer, or leave that parameter out of shared=."
        )
    own = {task: {key: each for key, each in found.items() if key not in common} for task, found in reached.items()}
    for one, other in combinations(own, 2):
        if both := own[one].keys() & own[other].keys():
            shape = tuple(next(each for key, each in own[one].items() if key in both).shape)
            raise fault(
                f"'{one}' and '{other}' both train a parameter of shape {shape} that is not in shared=. "
                "Add it there, or let the cut come later."
            )
    return {task: list(found.values()) for task, found in own.items()}


def _leaves(loss: Tensor, ends: set[Node]) -> dict[int, nn.Parameter]:
    """By identity, in the order of the walk, which is the same wherever the same network made the loss."""
    found: dict[int, nn.Parameter] = {}
    seen: set[Node] = set()
    waiting = [loss.grad_fn] if loss.grad_fn is not None else []
    while waiting:
        node = waiting.pop()
        if node in seen or node in ends:
            continue
        seen.add(node)
        if node.name() == UNUSED:
            raise fault(
                "the model is wrapped in DistributedDataParallel(find_unused_parameters=True), which waits for hooks that "
                "never run here. Set it to False, or leave DDP out: Balance reduces the gradients itself."
            )
        if (variable := getattr(node, "variable", None)) is not None:
            found[id(variable)] = variable
        waiting += [each for each, _ in reversed(node.next_functions) if each is not None]
    return found
