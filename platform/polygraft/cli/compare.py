"""Compare joint training with single-task runs, tuned static weights and a staged pipeline."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import click

from polygraft.cli.output import as_json, near, overrides, print_json, print_table, suite_file

if TYPE_CHECKING:
    from polygraft.studies.arms import Arm
    from polygraft.studies.comparison import Comparison

ABREAST = 6
"""Arms in one table of figures."""


@click.command()
@suite_file
@click.option("--balancers", default="", metavar="A,B", help="Balancing methods; absent, the suite's.")
@click.option("--sharing", default="", metavar="A,B", help="Ways of sharing, crossed with them; absent, the suite's.")
@click.option(
    "--against",
    default="",
    metavar="staged",
    help="Also the pipeline that joint training replaces, on features by PCA and by an autoencoder; staged:pca is one of them.",
)
@click.option(
    "--seeds", default=3, show_default=True, metavar="N", help="Paired seeds: the suite's and those after it."
)
@click.option("--dry-run", is_flag=True, help="Say how many runs and minutes it takes, and stop.")
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write the tidy table there, too.")
@click.option(
    "--tracking", metavar="URI", help="Where MLflow keeps runs. Absent, MLFLOW_TRACKING_URI, else the suite's."
)
@overrides
@as_json
def command(
    suite: str,
    balancers: str,
    sharing: str,
    against: str,
    seeds: int,
    dry_run: bool,
    csv: Path | None,
    tracking: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> int:
    """Train SUITE jointly and in the ways that joint training competes with; the same command goes on after a kill."""
    from polygraft.core.logs import log
    from polygraft.distributed.endings import Interrupted
    from polygraft.distributed.launch import loaded
    from polygraft.studies.compare import compare

    try:
        found = compare(
            loaded(suite, overrides),
            balancers=_names(balancers),
            sharing=_names(sharing),
            against=_names(against),
            seeds=seeds,
            dry_run=dry_run,
            csv=csv,
            tracking=tracking,
        )
    except Interrupted as interrupted:
        log().warning("%s; what is finished is kept, and the same command goes on.", interrupted)
        return interrupted.exit_code
    if as_json:
        print_json(found.to_json())
    elif dry_run:
        click.echo(f"{found.runs} runs, {found.left} to do, about {found.minutes:.1f} minutes; nothing was trained.")
    else:
        show(found)
    return 1 if found.failed else 0


def show(found: Comparison) -> None:
    """Figures, gains with their intervals, and what follows from them in plain words."""
    from polygraft.studies.outcome import NAMES, percent

    figures = found.figures or {}
    arms = sorted(figures, key=lambda arm: arm.kind == "joint")
    for first in range(0, len(arms), ABREAST):
        some = arms[first : first + ABREAST]
        print_table(("task", "metric", *map(_heading, some)), _figures(found, some))
        click.echo()
    if found.verdicts:
        tasks = list(found.verdicts[0].tasks)
        gains = [
            (
                str(each.arm),
                NAMES[each.against],
                *map(percent, (each.delta_m, each.delta_p)),
                *(percent(each.tasks[task]) if task in each.tasks else "" for task in tasks),
            )
            for each in found.verdicts
        ]
        print_table(("joint", "against", "delta-m", "delta-p", *tasks), gains)
        click.echo()
    for verdict in found.verdicts:
        click.echo(verdict)
    _notes(found)


def _notes(found: Comparison) -> None:
    seeds = max((each.delta_m.seeds for each in found.verdicts), default=0)
    if seeds == 1:
        click.echo("One seed: no intervals. Take --seeds 3.")
    elif seeds:
        click.echo(
            f"In brackets: 95 % intervals over {seeds} paired seeds (Student). Figures: test rows, means over seeds."
        )
    if found.weights:
        told = ", ".join(f"{task} {weight:.2f}" for task, weight in found.weights.items())
        click.echo(f"Static weights, chosen on validation at the first seed: {told}.")
    for run, reason in (found.failed or {}).items():
        click.echo(f"failed: {run}: {reason}")
    if found.csv:
        click.echo(f"csv {near(found.csv)}")


def _figures(found: Comparison, arms: list[Arm]) -> list[tuple[object, ...]]:
    """(task, metric, the mean of each arm); a figure that an arm does not have is nan."""
    assert found.figures is not None
    keys = dict.fromkeys(key for arm in arms for seed in found.figures[arm].values() for key in seed)
    means = {
        (arm, key): fmean(values)
        for arm in arms
        for key in keys
        if (values := [seed[key] for seed in found.figures[arm].values() if key in seed])
    }
    return [(*_parts(key), *(means.get((arm, key), float("nan")) for arm in arms)) for key in keys]


def _heading(arm: Arm) -> str:
    return str(arm) if arm.kind == "joint" else arm.word if arm.kind == "staged" else arm.balancer


def _parts(key: str) -> tuple[str, str]:
    task, _, metric = key.partition("/")
    return task, metric


def _names(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]
