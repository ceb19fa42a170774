"""Any weighting of TorchJD that looks at a Gramian, Quinton and Rey 2024 (https://arxiv.org/abs/2406.16232), https://torchjd.org."""

from __future__ import annotations

from typing import Any

import torch
import torchjd
from torch import Tensor
from torchjd import aggregation

from polygraft.balancing.base import TaskGradients, Weighting
from polygraft.core.errors import fault, nearest


class TorchJD(Weighting):
    """A weighting of the installed torchjd, by its name there, on any number of workers.

    What it draws from torch's generator is drawn from this step's own chance. One that remembers earlier steps is
    refused: what it remembers could not be saved. An option that is a list of numbers is a tensor, by task where it is as
    long as there are tasks; of the absent ones it then knows nothing.

    weighting: its class in torchjd.aggregation, `UPGradWeighting`. options: what its constructor takes, `{c: 0.4}`.
    """

    needs = "gramian"
    modes = ("last_layer", "parameters")
    extra = "torchjd"
    cost = "what torchjd takes for a K x K Gramian, some with a solver of their own; in parameters mode K backwards"

    def __init__(self, tasks: int, /, weighting: str, options: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.kind = _found(weighting)
        self.tasks, self.options = tasks, options or {}
        self._made: dict[tuple[int, ...], Any] = {}
        self._of(tuple(range(tasks)))

    def weigh(self, tasks: TaskGradients) -> Tensor:
        """Weights [K]."""
        seed = int(torch.randint(2**62, (), generator=tasks.chance))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            found: Tensor = self._of(tuple(tasks.index.tolist()))(tasks.gramian)
        return found.detach().to("cpu", torch.float64)

    def _of(self, index: tuple[int, ...]) -> Any:
        """The weighting for these tasks; it has no state, so that there may be several."""
        if index not in self._made:
            given = {key: self._option(value, index) for key, value in self.options.items()}
            try:
                self._made[index] = self.kind(**given)
            except (TypeError, ValueError, ImportError) as error:
                raise fault(
                    f"balancer: torchjd's {self.kind.__name__} is not made of {self.options}: {error}"
                ) from error
        return self._made[index]

    def _option(self, value: Any, index: tuple[int, ...]) -> Any:
        if not isinstance(value, list):
            return value
        numbers = torch.tensor(value, dtype=torch.float64)
        return numbers[list(index)] if len(numbers) == self.tasks else numbers


def _found(name: str) -> type[Any]:
    """Raises UserError for a name that torchjd has not, and for a weighting with a memory."""
    kinds = {
        each: kind
        for each in aggregation.__all__
        if isinstance(kind := getattr(aggregation, each), type)
        and issubclass(kind, aggregation.Weighting)
        and kind is not aggregation.Weighting
    }
    if name not in kinds:
        meant = nearest(f"{name.removesuffix('Weighting')}Weighting", kinds)  # `UPGrad` is its aggregator
        raise fault(f"balancer.weighting: torchjd has no weighting '{name}'.{meant} It has {', '.join(kinds)}.")
    if issubclass(kinds[name], torchjd.Stateful):
        raise fault(
            f"balancer.weighting: {name} remembers earlier steps, and torchjd gives no way to save that. "
            "Take a balancer of ours, whose state is saved: `polygraft list balancers`."
        )
    return kinds[name]
