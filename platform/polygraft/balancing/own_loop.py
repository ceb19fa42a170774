"""Balance: a balancer in anyone's own loop, plain PyTorch or torch.distributed, in place of `sum(losses).backward()`.

    balance = Balance("pcgrad", shared=model.trunk.parameters(), layer=model.trunk[-1])
    ...
    balance.backward({"late": a, "delay": b})
    optimizer.step()

A micro-batch of a rank is a shard: its losses are means over its own rows, `counts=` says over how many, and the
gradients that it leaves are global. No DDP is needed, for we reduce ourselves (it does not see
`torch.autograd.grad`, pytorch#47562). A model wrapped in DDP works too, but not with `find_unused_parameters=True`.
`docs/own_loop.md` shows loops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from polygraft.balancing import registry
from polygraft.balancing.choose_mode import choose_mode
from polygraft.balancing.collectives import Shards
from polygraft.balancing.gradients import Cut, Gradients, Measured, NotFinite, Tape
from polygraft.balancing.loss_scaling import scaled_backward
from polygraft.balancing.micro_batches import micro_batch, numbered
from polygraft.balancing.own_parameters import OwnParameters
from polygraft.balancing.watched_layer import WatchedLayer
from polygraft.core.catalogue import catalogue
from polygraft.core.errors import fault

Independent = Mapping[str, Tensor] | tuple[Mapping[str, Tensor], Mapping[str, float]]
"""Of another batch: its losses, or its losses and counts, as `backward` takes them."""


class Balance:
    """A balancer with the parameters that the tasks share.

    method, settings: as in a suite's `balancer`. shared: the parameters that all tasks train; whatever else a loss
    reaches is its task's own. layer: the last shared layer (an nn.Linear as a rule); its input and output are seen by
    hooks, and mode `last_layer` is taken. Without it, `features=` of `backward` takes mode `features`; without either,
    mode `parameters`. tasks: their names, in order; by default those of the first `backward`. every: steps between two
    refreshes of the weights; in between they are reused, and a step costs a plain one.

    kept: the micro-batches' graphs that wait for the last one. overflow: why the latest step was skipped, if it was.
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
        every: int = 1,
        **settings: Any,
    ) -> None:
        plugins = catalogue("balancing")
        if problems := plugins.problems(method, settings):
            raise fault(f"Balance('{method}'): " + "; ".join(f"{key}: {what}" for key, what in problems))
        self.method, self.settings, self.facts = method, settings, plugins[method].facts
        self.parameters = OwnParameters([each for each in shared if each.requires_grad])
        if every > 1 and self.facts["elementwise"]:
            raise fault(
                f"every={every}, but '{method}' combines the gradients element by element and has no weights to reuse. "
                "Leave every= out, or take a method that gives each task a weight."
            )
        self.options: dict[str, Any] = {"seed": seed, "rank": rank, "agreement_every": agreement_every, "every": every}
        self.layer = WatchedLayer(layer, self.facts["batches"]) if layer is not None else None
        self.tasks = tuple(tasks)
        self.steps = 0
        self.mode = ""
        self.engine: Gradients | None = None
        self.kept: list[list[Tape]] = []  # each with its independent ones
        self.overflow: NotFinite | None = None
        self._looks: list[Tape] = []
        self._loaded: Mapping[str, Tensor] = {}

    @property
    def batches(self) -> int:
        """How many independent batches the next `backward` wants: 1 but for methods that compare them (SDMGrad, MoDo)."""
        return int(self.facts["batches"]) if self.steps % self.options["every"] == 0 else 1

    def backward(
        self,
        losses: Mapping[str, Tensor],
        counts: Mapping[str, float] | None = None,
        *,
        features: Tensor | None = None,
        independent: Sequence[Independent] = (),
        last: bool = True,
        scaler: torch.amp.GradScaler | None = None,
    ) -> Measured | None:
        """Add the balanced gradient to `.grad` of every parameter the losses reach; returns what was seen.

        losses: by task, the mean over THIS micro-batch's labelled rows, never divided by the number of micro-batches.
        counts: by task, how many these are; without it every micro-batch counts the same. A task without a label has
        count 0 (its loss may then be NaN). features: what the heads read, `[rows, ...]`, for mode `features`.
        independent: for methods that compare independent batches, the losses of `batches - 1` more, or (losses, counts) of
        each; run forward in this order, after the first. last: False keeps the graph and returns None; the step is taken with the last micro-batch, of all of them.
        scaler: leaves gradients times its scale, for `scaler.step`; the losses are given WITHOUT it. A loss or gradient
        that is not finite on any rank then makes a step that changes nothing: None is returned, `overflow` says why.
        Raises UserError with the mend, NotFinite for a loss or gradient that is not, unless a scaler is given.
        """
        given = [(losses, counts), *(each if isinstance(each, tuple) else (each, None) for each in independent)]
        self._count_batches(len(given))
        self.tasks = self.tasks or tuple(losses)
        if unknown := sorted({task for each, _ in given for task in each} - set(self.tasks)):
            raise fault(f"backward was given {unknown}; the tasks are {list(self.tasks)}. Name all of them in tasks=.")
        cuts = self._cuts(features, len(given))
        settled = self.engine is not None and self.engine.shards.world > 1
        for (each, _), cut in zip(given, cuts, strict=True):
            self.parameters.learn(each, cut.features if cut else (), settled=settled)
        self.kept.append([micro_batch(*each, cut) for each, cut in zip(given, cuts, strict=True)][: self.batches])
        return self._step(scaler) if last else None

    def observe(
        self, losses: Mapping[str, Tensor], counts: Mapping[str, float] | None = None, *, last: bool = True
    ) -> None:
        """After `optimizer.step()`: the same micro-batches' losses again, for methods that look back (FAMO); others
        ignore it, and so does a step that was skipped."""
        if self.engine is None or not self.engine.observes or self.overflow is not None:
            return
        self._looks.append(micro_batch({task: each.detach() for task, each in losses.items()}, counts))
        if last:
            tapes, self._looks = self._looks, []
            if len(tapes) != len(self.engine.shards.mine):
                raise fault(
                    f"backward took {len(self.engine.shards.mine)} micro-batches, observe {len(tapes)}. Show it the same."
                )
            self.engine.observe(tapes, self.steps)

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

    def _count_batches(self, given: int) -> None:
        if given > (most := self.facts["batches"]):
            raise fault(
                f"'{self.method}' takes {most} independent batch{'es' * (most > 1)} a step; this backward was given {given}. "
                "Leave what is too many out of independent=."
            )
        if given < self.batches:
            raise fault(
                f"'{self.method}' compares {self.batches} independent batches a step; this backward was given {given}. "
                "Draw as many, run each forward, and give the others' losses: independent=[losses_2, ...]."
            )

    def _cuts(self, features: Tensor | None, count: int) -> Sequence[Cut | None]:
        """Of each of the step's batches."""
        mode = self._mode(features)
        if mode == "last_layer":
            assert self.layer is not None
            return self.layer.take(count)
        if mode != "features" or features is None:
            return [None] * count
        if features.grad_fn is None:
            raise fault(
                "features= carry no graph: nothing shared is trained through them. Give what the trunk returned."
            )
        return [Cut((features,))]

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
        mode = choose_mode(requested, self.method, self.facts, has_cut=requested != "parameters", one_input=True)
        if self.mode not in ("", mode):
            raise fault(
                f"the first backward took mode {self.mode}, this one would take {mode}. Give features= always or never."
            )
        self.mode = mode
        return mode

    def _step(self, scaler: torch.amp.GradScaler | None) -> Measured | None:
        """One step of all micro-batches that were kept."""
        words = repr((self.method, self.mode, self.parameters.sizes(self.tasks)))
        kept, *others = zip(*self.kept, strict=True)
        self.kept = []
        tapes = numbered(kept, words, self.parameters.shared[0].device)
        engine = self._ready(tapes)
        before = [(each, each.grad) for each in self.parameters if each.grad is not None]
        with torch.autocast(
            engine.setup.shared.device.type, enabled=False
        ):  # inner products need more than half precision
            if scaler is None or not scaler.is_enabled():
                seen: Measured | NotFinite = engine.backward(tapes, self.steps, independent=others)
            else:
                seen = scaled_backward(engine, [tapes, *others], self.steps, scaler)
        self.overflow = seen if isinstance(seen, NotFinite) else None
        if isinstance(seen, NotFinite):
            return None
        for parameter, gradient in before:
            parameter.grad = gradient if parameter.grad is None else gradient + parameter.grad
        self.steps += 1
        return seen

    def _ready(self, tapes: Sequence[Tape]) -> Gradients:
        """The engine for so many micro-batches a rank; where their number changed, a new one with the state of the old."""
        shards = Shards.here()
        shards = Shards.here(len(tapes) * shards.world)
        if self.engine is not None and self.engine.shards.total == shards.total:
            return self.engine
        state = self._loaded if self.engine is None else self.engine.state_dict()
        engine = Gradients(
            registry.make(self.method, self.settings, tasks=len(self.tasks), names=self.tasks),
            mode=self.mode,
            tasks=self.tasks,
            shared=self.parameters.shared,
            own=self.parameters.by_task,
            shards=shards,
            **self.options,
        )
        if state or self.steps:
            engine.load_state_dict(state)
        self.engine = engine
        return engine
