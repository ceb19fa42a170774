"""Network: stems, the shared backbone and the heads of all tasks; a View is what it sees in one batch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar, cast

from torch import Tensor, nn
from torch.func import functional_call

from polygraft.core.batch import Batch
from polygraft.core.features import Cut, Features
from polygraft.models.base import Head, Sharing, Stem
from polygraft.models.cut import Aliases

Result = TypeVar("Result")


class Network(nn.Module):
    """All that predicts. Below the cut stand the stems and the shared part, which tasks share; behind it what is a task's own.

    tables: each task's table. Modules of tables and tasks are named by them: `stems.flights`, `heads.late`.
    """

    def __init__(
        self, stems: Mapping[str, Stem], sharing: Sharing, heads: Mapping[str, Head], tables: Mapping[str, str]
    ) -> None:
        super().__init__()
        assert heads.keys() == tables.keys(), "a task is left over"
        assert set(tables.values()) == stems.keys(), "a table is left over"
        self.stems, self.sharing, self.heads = nn.ModuleDict(dict(stems)), sharing, nn.ModuleDict(dict(heads))
        self.tables = dict(tables)
        self.sizes = {task: head.size for task, head in heads.items()}

    def forward(self, run: Callable[[], Result]) -> Result:
        """Whatever `run` computes; `functional_call` of this is how a view computes with other parameters."""
        return run()

    def view(
        self, batch: Mapping[str, Batch], parameters: Mapping[str, Tensor] | None = None, aliased: bool = False
    ) -> View:
        """What the network sees in `{table: Batch}`; nothing is computed before it is read.

        parameters: by name, used in place of the network's own, which may be left out where they are equal; gradients flow to
            them. aliased: where there is a cut, tasks read leaves in place of it, so that their losses' gradients stop there.
        """
        return View(self, batch, tuple(self.tables), parameters=parameters, aliased=aliased)

    def shared_parameters(self) -> list[nn.Parameter]:
        """Every trainable parameter below the cut: the stems' and the shared part's, in a fixed order."""
        return _trainable([*self.stems.parameters(), *self.sharing.shared_parameters()])

    def own_parameters(self, task: str) -> list[nn.Parameter]:
        """Every trainable parameter behind the cut that is `task`'s alone."""
        return _trainable([*self.sharing.own_parameters(task), *self.heads[task].parameters()])

    def rest(self, present: Collection[str]) -> None:
        """Take the gradient from every stem whose table has no task in `present`: momentum and decay would move it."""
        awake = {self.tables[task] for task in present}
        for table, stem in self.stems.items():
            if table not in awake:
                for parameter in stem.parameters():
                    parameter.grad = None

    def last_layer(self) -> nn.Module | None:
        """The last shared linear layer or convolution; None where the shared part ends in none."""
        return self.sharing.last_layer()

    @property
    def modes(self) -> tuple[str, ...]:
        """Where the gradients of all tasks may be taken, the cheapest first: `last_layer`, `features`, `parameters`."""
        cut = self.sharing.cuts and len(self.stems) == 1
        layer = cut and self.last_layer() is not None
        return (*["last_layer"] * layer, *["features"] * cut, "parameters")


class View:
    """A network on one batch, lazy: each table's stem and shared part run once, each head once.

    tasks: those that look. features, outputs: by task, `view.outputs["late"]`; the outputs are raw (logits, standardised values).
    """

    def __init__(
        self,
        network: Network,
        batch: Mapping[str, Batch],
        tasks: tuple[str, ...],
        *,
        parameters: Mapping[str, Tensor] | None = None,
        aliased: bool = False,
    ) -> None:
        self.network, self.batch, self.tasks = network, batch, tasks
        self.parameters = parameters
        self.aliased = aliased and "features" in network.modes  # else tasks read the shared part itself
        self.features: Mapping[str, Features] = Lazy(self._tasks, self._features)
        self.outputs: Mapping[str, Tensor] = Lazy(self._tasks, self.output)
        self._seen: dict[tuple[str, str], View] = {}
        self._passes: dict[str, dict[str, Features]] = {}
        self._cuts: dict[str, Cut] = {}

    def output(self, task: str, given: Tensor | None = None) -> Tensor:
        """A task's raw outputs. given: what a decoder may see of its target; `outputs` is without."""
        return self.headed(task, self.features[task], given)

    def headed(self, task: str, features: Features, given: Tensor | None = None) -> Tensor:
        """What a task's head makes of these features, which an objective made of what the backbone gave."""
        head = cast(Head, self.network.heads[task])
        return cast(Tensor, self._run(lambda: head(features, given)))

    def inputs(self, task: str) -> Mapping[str, Tensor]:
        """The encoded inputs of a task's rows."""
        return self.batch[self.network.tables[task]].inputs

    def seen(self, task: str, name: str, corrupt: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]) -> View:
        """A task's rows seen otherwise: a pass of their own, made once for each name, which no other task's loss reads.

        Its loss then reaches the shared part through more than the one cut, so that gradients are compared by parameters alone.
        """
        assert not self.aliased, "a cut holds one pass, and this task makes another"
        if (task, name) not in self._seen:
            table = self.network.tables[task]
            other = replace(self.batch[table], inputs=dict(corrupt(self.batch[table].inputs)))
            self._seen[task, name] = View(self.network, {table: other}, (task,), parameters=self.parameters)
        return self._seen[task, name]

    def cut(self) -> Cut | None:
        """The cut of the batch's one table, with each task's aliases.

        None where none was asked for, the way of sharing has no cut, or the tasks' tables are several: then tasks read the shared
        part itself, and their losses' gradients go all the way down.
        """
        if not self.aliased:
            return None
        (table,) = self.network.stems
        self._pass(table)
        return self._cuts[table]

    def _tasks(self) -> list[str]:
        return [task for task in self.tasks if self.network.tables[task] in self.batch]

    def _features(self, task: str) -> Features:
        return self._pass(self.network.tables[task])[task]

    def _pass(self, table: str) -> dict[str, Features]:
        if table not in self._passes:
            tasks = [task for task in self.tasks if self.network.tables[task] == table]
            aliases = Aliases(self.network.last_layer()) if self.aliased else None
            self._passes[table] = self._run(lambda: self._shared(table, tasks, aliases))
            if aliases and aliases.features:
                self._cuts[table] = aliases.cut()
        return self._passes[table]

    def _shared(self, table: str, tasks: list[str], aliases: Aliases | None) -> dict[str, Features]:
        first = self.network.stems[table](self.batch[table].inputs)
        if aliases is None:
            return self.network.sharing(first, tasks)  # type: ignore[no-any-return]
        with aliases.watching():
            return self.network.sharing(first, tasks, aliases)  # type: ignore[no-any-return]

    def _run(self, run: Callable[[], Result]) -> Result:
        if self.parameters is None:
            return run()
        return cast(Result, functional_call(self.network, dict(self.parameters), (run,)))


class Lazy(Mapping[str, Result]):
    """A mapping whose values are computed when first read, then kept."""

    def __init__(self, names: Callable[[], list[str]], compute: Callable[[str], Result]) -> None:
        self._names, self._compute = names, compute
        self._known: dict[str, Result] = {}

    def __getitem__(self, name: str) -> Result:
        if name not in self._known:
            self._known[name] = self._compute(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


def _trainable(parameters: list[nn.Parameter]) -> list[nn.Parameter]:
    """Those that learn, each once (weights may be tied)."""
    return list(dict.fromkeys(each for each in parameters if each.requires_grad))
