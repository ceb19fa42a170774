"""Comparison: what a study came to, or, of a dry run, what it would take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polygraft.studies.arms import Arm
from polygraft.studies.outcome import Figures, Row, Verdict


@dataclass(frozen=True)
class Comparison:
    """The figures of a study and what follows from them.

    study: its id, by the suite's content. folder: of its ledger and its CSV. runs: how many it consists of; left: those not
    finished when it was asked. minutes: that they were estimated to take. figures: by arm and seed, on the test rows. weights:
    the static ones that validation chose. failed: runs, each with the reason.
    """

    study: str
    folder: Path
    runs: int
    left: int
    minutes: float
    rows: tuple[Row, ...] = ()
    figures: Mapping[Arm, Mapping[int, Figures]] | None = None
    verdicts: tuple[Verdict, ...] = ()
    weights: Mapping[str, float] | None = None
    failed: Mapping[str, str] | None = None
    csv: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """What `compare --json` prints; gains are shares, not percent."""
        return {
            "study": self.study,
            "folder": str(self.folder),
            "runs": self.runs,
            "left": self.left,
            "minutes": round(self.minutes, 2),
            "static_weights": dict(self.weights) if self.weights else None,
            "rows": [asdict(row) for row in self.rows],
            "verdicts": [
                {
                    "balancer": each.arm.balancer,
                    "sharing": each.arm.sharing,
                    "against": each.against,
                    "result": each.result,
                    "delta_m": asdict(each.delta_m),
                    "delta_p": asdict(each.delta_p),
                    "tasks": {task: asdict(gain) for task, gain in each.tasks.items()},
                    "words": str(each),
                }
                for each in self.verdicts
            ],
            "failed": dict(self.failed or {}),
            "csv": str(self.csv) if self.csv else None,
        }
