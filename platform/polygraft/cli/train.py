"""Train a suite: in this process, or on Ray workers; start, go on, or reprint a finished result."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from polygraft.assembly.run import Run
from polygraft.cli.output import as_json, near, overrides, print_json, print_table, suite_file
from polygraft.core.logs import log


@click.command()
@suite_file
@click.option("--run", metavar="ID", help="Start the run of this id, go on with it, or reprint its result.")
@click.option("--resume", is_flag=True, help="Go on with the newest unfinished run of the same suite.")
@click.option("--from", "from_run", metavar="RUN", help="Start from the weights of another run.")
@click.option("--workers", type=int, metavar="N", help="Worker processes, in place of the suite's; 1 is this process.")
@click.option(
    "--address", metavar="A", help="A Ray cluster: HOST:PORT, auto, or local. Absent, RAY_ADDRESS, else local."
)
@click.option("--no-register", is_flag=True, help="Do not register the model.")
@click.option(
    "--tracking", metavar="URI", help="Where MLflow keeps runs. Absent, MLFLOW_TRACKING_URI, else the suite's."
)
@overrides
@as_json
def command(
    suite: str,
    run: str | None,
    resume: bool,
    from_run: str | None,
    workers: int | None,
    address: str | None,
    no_register: bool,
    tracking: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> int:
    """Train a suite and register its model. A second command goes on where a killed one stopped: --run or --resume."""
    from polygraft.distributed.endings import Failed, Interrupted
    from polygraft.distributed.launch import loaded, train

    code = 0
    try:
        result = train(
            loaded(suite, overrides, workers),
            run=run,
            resume=resume,
            from_run=from_run,
            address=address,
            register=not no_register,
            tracking=tracking,
        )
    except Interrupted as interrupted:
        if interrupted.result is None:
            raise
        result, code = interrupted.result, interrupted.exit_code
    except Failed as failed:
        if not as_json:
            raise
        log().error("%s", failed)
        result, code = failed.result, 1
    if as_json:
        print_json(result.to_json())
    else:
        show(result, suite, tracking)
    return code


def show(run: Run, suite: str, tracking: str | None) -> None:
    """The result as a short table for a person, and how to look at it."""
    if run.status != "finished":
        click.echo(
            f"{run.run_id} was stopped at step {run.step:,}, saved. Go on: polygraft train {suite} --run {run.run_id}"
        )
        return
    print_table(("task", "metric", "test", "validation"), rows(run))
    click.echo()
    for name, value in facts(run, suite, tracking):
        click.echo(f"{name:<8} {value}")


def rows(run: Run) -> list[tuple[str, str, float, float]]:
    """(task, metric, on test, on validation) of every figure."""
    absent = float("nan")
    return [(*_parts(key), value, run.validation.get(key, absent)) for key, value in run.metrics.items()]


def facts(run: Run, suite: str, tracking: str | None) -> list[tuple[str, str]]:
    """What the run was, where its parts lie, and how to look at them."""
    speed = f"{run.samples_per_second:,.0f} rows/s, {run.data_wait_share:.1%} of it waiting for data"
    found = [
        ("run", f"{run.run_id}, {run.step:,} steps, {run.seconds:.1f} s, {speed}"),
        ("model", run.model_uri or f"{near(run.folder / 'model')} (not registered)"),
    ]
    report = run.folder / "report.html"
    if report.exists():
        found.append(("report", near(report)))
    uri = tracking_of(run, suite, tracking)
    if uri.startswith("http"):
        found.append(("MLflow", uri))
    else:
        ui = Path(sys.executable).with_name("mlflow")
        found.append(("MLflow", f"{near(ui)} ui --backend-store-uri {shlex.quote(uri)}"))
    return found


def tracking_of(run: Run, suite: str, tracking: str | None) -> str:
    """MLflow's URI as the run took it."""
    import os

    from polygraft.suite.load import load
    from polygraft.tracking.mlflow_tracker import tracking_uri

    return tracking_uri(tracking, os.environ, load(suite).tracking.uri, run.folder.parent.parent)[0]


def _parts(key: str) -> tuple[str, str]:
    task, _, metric = key.partition("/")
    return task, metric
