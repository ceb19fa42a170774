"""Balance: a balancer in anyone's own loop, plain PyTorch or torch.distributed, in place of `sum(losses).backward()`.

    balance = Balance("pcgrad", shared=model.trunk.parameters(), layer=model.trunk[-1])
    ...
    balance.backward({"late": a, "delay": b})
    optimizer.step()

Under torch.distributed each rank is a shard: its losses are means over its own rows, `counts=` says over how many, and
the gradients that it leaves are global. No DDP is needed, for we reduce ourselves (it does not see
`torch.autograd.grad`, pytorch#47562). A model wrapped in DDP works too, but not with `find_unused_parameters=True`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from polygraft.balancing import registry
from polygraft.balancing.base import Balancer
from polygraft.balancing.choose_mode import choose_mode
from polygraft.balancing.collectives import Shards
from polygraft.balancing.gradients import Cut, Gradients, Measured, Tape
from polygraft.balancing.leaves import own_leaves
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import fault
from polygraft.core.seeding import counter


class Balance:
    """A balancer with the parameters that the tasks share.

    method, settings: as in a suite's `balancer`. shared: the parameters that all tasks train; whatever else a loss
    reaches is its task's own. layer: the last shared layer (an nn.Linear as a rule); its input and output are seen by
    hooks, and mode `last_layer` is taken. Without it, `features=` of `backward` takes mode `features`; without either,
    mode `parameters`. tasks: their names, in order; by default those of the first `backward`.
    """

    def __init__(
        self,
        method: str,
        *,
        shared: Iterable[nn.Parameter],
        layer: nn.Module | None = None,
        tasks: Sequence[str] = (),
        seed: int = 0,
        rank: int | Literal["full"] = 16,
        agreement_every: int = 50,
        **settings: Any,
    ) -> None:
        plugins = catalogue("balancing")
        if problems := plugins.problems(method, settings):
            raise fault(f"Balance('{method}'): " + "; ".join(f"{key}: {what}" for key, what in problems))
        self.method, self.settings, self.facts = method, settings, plugins[method].facts
        self.shared = [each for each in shared if each.requires_grad]
        if not self.shared:
            raise fault("shared= holds no parameter that is trained. Give the trunk's parameters.")
        self.options: dict[str, Any] = {"seed": seed, "rank": rank, "agreement_every": agreement_every}
        self.layer = _Watch(layer) if layer is not None else None
        self.tasks = tuple(tasks)
        self.own: dict[str, list[nn.Parameter]] = {}
        self.steps = 0
        self.mode = ""
        self.engine: Gradients | None = None
        self._loaded: Mapping[str, Tensor] = {}

    def backward(
        self, losses: Mapping[str, Tensor], counts: Mapping[str, float] | None = None, *, features: Tensor | None = None
    ) -> Measured:
        """Add the balanced gradient to `.grad` of every parameter the losses reach; returns what was seen.

        losses: by task, the mean over THIS rank's labelled rows. counts: by task, how many these are; without it every
        rank counts the same. A task without a label on this rank has count 0 (its loss may then be NaN). features: what
        the heads read, `[rows, ...]`, for mode `features`.
        Raises UserError with the mend, NotFinite for a loss that is not.
        """
        mode = self._mode(features)
        cut = self._cut(mode, features)
        self._learn_own(losses, cut)
        engine = self.engine or self._start(mode)
        if mode != self.mode:
            raise fault(
                f"the first backward took mode {self.mode}, this one would take {mode}. Give features= always or never."
            )
        tape = Tape(*_sums(losses, counts), cut, _offset(engine.shards, cut) if mode == "features" else 0)
        before = [(each, each.grad) for each in self._parameters() if each.grad is not None]
        measured = engine.backward([tape], self.steps)
        for parameter, gradient in before:
            parameter.grad = gradient if parameter.grad is None else gradient + parameter.grad
        self.steps += 1
        return measured

    def observe(self, losses: Mapping[str, Tensor], counts: Mapping[str, float] | None = None) -> None:
        """After `optimizer.step()`: the same batch's losses again, for methods that look back (FAMO); others ignore it."""
        if self.engine is not None and self.engine.observes:
            self.engine.observe([Tape(*_sums(losses, counts))], self.steps)

    def state_dict(self) -> dict[str, Any]:
        """Tasks, steps and the method's state, whole on every rank; called by every rank."""
        state = self.engine.state_dict() if self.engine is not None else dict(self._loaded)
        return {"tasks": list(self.tasks), "steps": self.steps, "balancer": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state, strictly; also before the first `backward`."""
        if self.tasks and list(self.tasks) != list(state["tasks"]):
            raise fault(f"the saved tasks are {list(state['tasks'])}, these are {list(self.tasks)}.")
        self.tasks, self.steps, self._loaded = tuple(state["tasks"]), int(state["steps"]), dict(state["balancer"])
        if self.engine is not None:
            self.engine.load_state_dict(self._loaded)

    def _mode(self, features: Tensor | None) -> str:
        if self.layer is not None and features is not None:
            raise fault("layer= takes mode last_layer, features= mode features. Give one of them.")
        requested = "last_layer" if self.layer is not None else "features" if features is not None else "parameters"
        if self.facts["needs"] == "losses":
            requested = "auto"
        elif requested not in self.facts["modes"]:
            raise fault(
                f"'{self.method}' works in {' or '.join(self.facts['modes'])}, not in {requested}. "
                "layer= takes last_layer, features= takes features, neither takes parameters."
            )
        return choose_mode(requested, self.method, self.facts, has_cut=requested != "parameters", one_input=True)

    def _cut(self, mode: str, features: Tensor | None) -> Cut | None:
        if mode == "last_layer":
            assert self.layer is not None
            a, z = self.layer.take()
            return Cut((z,), layer_input=a, layer_output=z)
        if mode != "features" or features is None:
            return None
        if features.grad_fn is None:
            raise fault(
                "features= carry no graph: nothing shared is trained through them. Give what the trunk returned."
            )
        return Cut((features,))

    def _learn_own(self, losses: Mapping[str, Tensor], cut: Cut | None) -> None:
        """Whatever a task's loss reaches, besides the shared parameters, is its own from then on."""
        self.tasks = self.tasks or tuple(losses)
        if unknown := sorted(set(losses) - set(self.tasks)):
            raise fault(f"backward was given {unknown}; the tasks are {list(self.tasks)}. Name all of them in tasks=.")
        found = own_leaves(losses, cut.features if cut else (), self.shared)
        first = self.engine is None
        for task, parameters in found.items():
            mine = self.own.setdefault(task, [])
            fresh = [each for each in parameters if all(each is not known for known in mine)]
            if fresh and not first and Shards.here().world > 1:
                raise fault(
                    f"'{task}' reaches parameters that the first backward did not. Let that one use all of them."
                )
            mine += fresh

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.shared, *(each for mine in self.own.values() for each in mine)]

    def _start(self, mode: str) -> Gradients:
        """The engine, once the first backward has shown tasks and parameters; every rank must have seen the same."""
        shards = Shards.here()
        sizes = [(task, [each.numel() for each in self.own.get(task, ())]) for task in self.tasks]
        seen = torch.tensor([counter(0, repr((self.method, mode, sizes)))], device=self.shared[0].device)
        if not (shards.gather(seen) == seen).all():
            raise fault(
                "the ranks' first backward differ in their tasks or in the parameters that they reach. Give every rank "
                "every task's loss, in one order, with count 0 where it has no label."
            )
        balancer: Balancer = registry.make(self.method, self.settings, tasks=len(self.tasks), names=self.tasks)
        self.mode = mode
        self.engine = Gradients(
            balancer, mode=mode, tasks=self.tasks, shared=self.shared, own=self.own, shards=shards, **self.options
        )
        if self._loaded or self.steps:
            self.engine.load_state_dict(self._loaded)
        return self.engine


class _Watch:
    """Remembers a layer's input and output of its latest forward pass."""

    def __init__(self, layer: nn.Module) -> None:
        self.seen: tuple[Tensor, Tensor, int] | None = None
        layer.register_forward_hook(self._see)

    def _see(self, _layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.grad_fn is not None:
            self.seen = (inputs[0], output, output._version)

    def take(self) -> tuple[Tensor, Tensor]:
        """Raises UserError when the layer did not run, or when its output was changed in place afterwards."""
        if self.seen is None:
            raise fault("layer= did not run before this backward. Give a layer that every forward pass runs.")
        (a, z, version), self.seen = self.seen, None
        if z._version != version:
            raise fault("the output of layer= is changed in place. Take ReLU(inplace=False) behind it.")
        return a, z


def _sums(
    losses: Mapping[str, Tensor], counts: Mapping[str, float] | None
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Local sums and their weights from local means; a task without a label here is left out."""
    weights = {task: 1.0 if counts is None else float(counts.get(task, 0)) for task in losses}
    present = [task for task, weight in weights.items() if weight > 0]
    return {task: losses[task] * weights[task] for task in present}, {task: weights[task] for task in present}


def _offset(shards: Shards, cut: Cut | None) -> int:
    """The number of this rank's first row in the global batch."""
    assert cut is not None
    rows = torch.tensor([len(cut.features[0])], device=cut.features[0].device)
    return int(shards.gather(rows)[: shards.rank].sum())
