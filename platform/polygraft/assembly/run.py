"""Run: what a finished, failed or interrupted run says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

SUITE, ORIGIN, STOP, RESULT, MODEL = "suite.yaml", "origin.json", "stop", "result.json", "model"
EXHIBITS = "exhibits.json"
"""What stands in a run's folder; a file `stop` asks the work to end after its step."""

Status = Literal["finished", "failed", "killed", "running"]


@dataclass(frozen=True)
class Run:
    """A run's result. metrics: `{"<task>/<metric>": value}` on the test split, of the selected weights; validation: on that split.

    seconds: from the first attempt's start to its end, start-up included. samples_per_second: while training.
    data_wait_share: of its time, in [0, 1], in which a step waited for its data; of rank 0, in this attempt.
    data: by table, how many rows there are, and in each split.
    model_uri: `models:/<name>/<version>`; None when it was not registered.
    """

    run_id: str
    folder: Path
    status: Status
    step: int
    metrics: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    mlflow_run_id: str | None = None
    model_uri: str | None = None
    seconds: float = 0.0
    samples_per_second: float = 0.0
    data_wait_share: float = 0.0
    data: dict[str, dict[str, int]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What `train --json` prints."""
        fields = asdict(self)
        fields["run_dir"] = str(fields.pop("folder"))
        return fields

    @classmethod
    def read(cls, folder: Path) -> Run | None:
        """The result that a run left in its folder; None while it has none."""
        try:
            fields = json.loads((folder / RESULT).read_text())
        except FileNotFoundError:
            return None
        fields.pop("run_dir")
        return cls(folder=folder, **fields)
