"""Measure in one joint run which tasks help each other, and which to train together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polygraft.cli.output import as_json, near, overrides, print_json, print_table, suite_file

if TYPE_CHECKING:
    from polygraft.studies.affinity import Affinity


@click.command()
@suite_file
@click.option("--groups", default=2, show_default=True, metavar="N", help="Networks to share the tasks among.")
@click.option("--workers", type=int, metavar="N", help="Worker processes, in place of the suite's; 1 is this process.")
@click.option(
    "--tracking", metavar="URI", help="Where MLflow keeps runs. Absent, MLFLOW_TRACKING_URI, else the suite's."
)
@overrides
@as_json
def command(
    suite: str, groups: int, workers: int | None, tracking: str | None, overrides: tuple[str, ...], as_json: bool
) -> int:
    """Train SUITE once, measure which of its tasks help each other, and share them among N networks."""
    from polygraft.distributed.endings import Interrupted
    from polygraft.distributed.launch import loaded
    from polygraft.studies.affinity import affinity

    try:
        found = affinity(loaded(suite, overrides, workers), groups=groups, tracking=tracking)
    except Interrupted as interrupted:
        run = interrupted.result
        if run is None:
            raise
        if as_json:
            print_json(run.to_json())
        else:
            click.echo(f"{run.run_id} was stopped at step {run.step:,}, saved. The same command goes on.")
        return interrupted.exit_code
    if as_json:
        print_json(found.to_json())
    else:
        show(found)
    return 0


def show(result: Affinity) -> None:
    """The affinities, how far both ways to measure agree, and the networks."""
    from polygraft.studies.affinity import in_words

    found = result.found
    click.echo("Off the column's loss by a step along the line's gradient, % (first order):")
    lines = [(i, *(100 * each for each in line)) for i, line in zip(found.tasks, found.first_order, strict=True)]
    print_table(("gradient of", *found.tasks), lines)
    click.echo(in_words(found))
    click.echo()
    networks = [
        (str(number), ", ".join(each.tasks), 100 * each.score) for number, each in enumerate(result.networks, 1)
    ]
    print_table(("network", "tasks", "score, %"), networks)
    click.echo(f"page {near(result.page)}")
