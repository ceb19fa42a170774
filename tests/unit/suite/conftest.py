"""A suite to bend, and the plugins that it names, which no other room has to provide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from polygraft.core.errors import UserError
from polygraft.suite.load import load

GOOD = """\
suite: flights
seed: 7
data:
  flights:
    source: recipe.py:flights
    columns: {month: category}
    drop: [tail]
    clean: [missing, {name: outliers, method: quantile}]
    split: {by: random, validation: 0.1, test: 0.2}
balancer: {name: toy, c: 0.3}
tasks:
  late: {data: flights, target: arr_late, objective: classification}
  delay:
    data: flights
    target: arr_delay
    objective: {name: regression, loss: mse}
train: {steps: 2000, batch_size: 1024, optimizer: {name: adamw, lr: 1e-3}, best: late/auc}
"""

TOY = '''
"""A toy, nobody 2026."""
from polygraft.balancing.base import Weighting

class Toy(Weighting):
    """A toy."""
    needs = "gramian"
    modes = ("last_layer", "parameters")
    def __init__(self, c: Annotated[float, Range(min=0)] = 0.4, power: int = 2) -> None: ...
'''


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], str]:
    """Write a suite's text to `suite.yaml` in an empty folder that is also the current one, and give that name."""
    plugins = tmp_path / "plugins" / "balancing"
    plugins.mkdir(parents=True)
    (plugins / "toy.py").write_text(TOY)
    monkeypatch.chdir(tmp_path)

    def to_file(text: str | bytes) -> str:
        (tmp_path / "suite.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return "suite.yaml"

    return to_file


@pytest.fixture
def faults() -> Callable[[str], list[str]]:
    """The lines that loading a bad suite ends with."""

    def of(name: str) -> list[str]:
        with pytest.raises(UserError) as error:
            load(name)
        return str(error.value).splitlines()

    return of


@pytest.fixture
def good() -> str:
    return GOOD
