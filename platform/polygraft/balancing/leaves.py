"""Which parameters a loss reaches, read from its graph: in anyone's own loop, nobody lists a task's own parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from torch import Tensor, nn
from torch.autograd.graph import Node

from polygraft.core.errors import fault

SINK = "_DDPSinkBackward"  # the node DDP puts behind its outputs when it looks for unused parameters
COMPILED = "CompiledFunctionBackward"  # all that torch.compile made one graph of is one node, with all its parameters


def own_leaves(
    losses: Mapping[str, Tensor], stop: Sequence[Tensor], shared: Iterable[nn.Parameter]
) -> dict[str, list[nn.Parameter]]:
    """By task, the parameters that its loss alone reaches above `stop` (the cut; empty to walk the whole graph).

    Raises UserError for a parameter that two tasks reach and `shared` lacks, for a shared one above the cut, for a loss
    that goes around the cut inside one node, for sharded parameters, and for DDP with find_unused_parameters=True.
    """
    common = {id(each) for each in shared}
    ends = {each.grad_fn: each.output_nr for each in stop if each.grad_fn is not None}
    reached = {task: _leaves(loss, ends) for task, loss in losses.items()}
    if stop and (late := [each for found in reached.values() for key, each in found.items() if key in common]):
        raise fault(
            f"a parameter of shape {tuple(late[0].shape)} is in shared=, but comes after the layer or the features. "
            "Give the last shared layer, or leave that parameter out of shared=."
        )
    own = {task: {key: each for key, each in found.items() if key not in common} for task, found in reached.items()}
    refuse_sharded(each for found in own.values() for each in found.values())
    for one, other in combinations(own, 2):
        if both := own[one].keys() & own[other].keys():
            shape = tuple(next(each for key, each in own[one].items() if key in both).shape)
            compiled = any(node.name() == COMPILED for node in _nodes(losses[one], ends))
            raise fault(
                f"'{one}' and '{other}' both train a parameter of shape {shape} that is not in shared=. "
                + ("Compile the trunk and each head by themselves, or add it there" if compiled else "Add it there")
                + ", or let the cut come later."
            )
    return {task: list(found.values()) for task, found in own.items()}


def refuse_sharded(parameters: Iterable[Tensor]) -> None:
    """Raise UserError where a rank holds a part of a parameter (DTensor, as FSDP2 and tensor parallelism leave; FSDP's flat ones)."""
    for each in parameters:
        if hasattr(each, "device_mesh") or getattr(each, "_is_flat_param", False):
            raise fault(
                f"a parameter of shape {tuple(each.shape)} is sharded over the ranks (FSDP, tensor parallelism). Balance adds "
                "up whole gradients by itself: keep the parameters whole on every rank, without a wrapper or with plain DDP."
            )


def _leaves(loss: Tensor, ends: Mapping[Node, int]) -> dict[int, nn.Parameter]:
    """By identity, in the order of the walk, which is the same wherever the same network made the loss."""
    variables = (getattr(node, "variable", None) for node in _nodes(loss, ends))
    return {id(each): each for each in variables if each is not None}


def _nodes(loss: Tensor, ends: Mapping[Node, int]) -> Iterable[Node]:
    """Those above the ends; at an end the loss must go through the very output that was given."""
    seen: set[Node] = set()
    waiting = [(loss.grad_fn, loss.output_nr)] if loss.grad_fn is not None else []
    while waiting:
        node, output = waiting.pop()
        if node.name() == SINK:
            raise fault(
                "the model is wrapped in DistributedDataParallel(find_unused_parameters=True), or with a static_graph, which "
                "waits for hooks that never run here. Set it to False, or leave DDP out: Balance reduces the gradients itself."
            )
        if ends.get(node, output) != output:
            raise fault(
                f"a loss goes around the features: it reads another result of the operation that made them ({node.name()}). "
                "Give all that the tasks read; under torch.compile, compile the trunk and each head by themselves."
            )
        if node in seen or node in ends:
            continue
        seen.add(node)
        yield node
        waiting += [(each, nr) for each, nr in reversed(node.next_functions) if each is not None]
