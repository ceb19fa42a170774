"""Say what there is: versions, CPUs, GPUs, where Ray and MLflow are, what can be written, which extras are missing."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from polygraft.cli.output import as_json, print_json
from polygraft.core.extras import absent, install_command
from polygraft.version import __version__

PACKAGES = ("torch", "numpy", "numba", "pyarrow", "ray", "mlflow", "torchmetrics", "safetensors")
EXTRAS = ("hub", "rl", "tasks", "dev")


@click.command()
@click.option(
    "--suite", type=click.Path(), metavar="SUITE", help="Also ask what this suite says of storage and tracking."
)
@click.option("--address", metavar="A", help="A Ray cluster to knock at.")
@click.option("--tracking", metavar="URI", help="An MLflow to knock at.")
@as_json
def command(suite: str | None, address: str | None, tracking: str | None, as_json: bool) -> None:
    """Say what there is, and which of flag, environment, suite and default won."""
    told = gather(suite, address, tracking)
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        click.echo(f"{name:<11} {_words(value)}")


def gather(suite: str | None = None, address: str | None = None, tracking: str | None = None) -> dict[str, Any]:
    """All that the command prints; nothing is started, and what does not answer is said, not raised."""
    from polygraft.distributed.machine import cpus

    return {
        "polygraft": __version__,
        "python": f"{platform.python_version()} on {platform.system().lower()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": {"cpus": cpus(), "gpus": _gpus(), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set")},
        "ray": _ray(address),
        "mlflow": _mlflow(suite, tracking),
        "writable": {str(place): _writable(place) for place in _places(suite)},
        "extras": {name: _extra(name) for name in EXTRAS},
    }


def _ray(address: str | None) -> dict[str, str]:
    from polygraft.core.errors import UserError
    from polygraft.distributed.address import choose, probe

    chosen = choose(address)
    told = {"address": chosen.value or "local", "said by": chosen.source}
    try:
        probe(chosen, timeout_s=5.0)
    except UserError as error:
        return told | {"answers": f"no: {error.faults[0].what}"}
    return told | {"answers": "is started when workers are asked for" if chosen.local else "yes"}


def _mlflow(suite: str | None, tracking: str | None) -> dict[str, str]:
    from polygraft.core.errors import UserError
    from polygraft.suite.load import load
    from polygraft.tracking.mlflow_tracker import tracking_uri
    from polygraft.tracking.server import require_reachable, shown

    said = load(suite).tracking.uri if suite else None
    uri, source = tracking_uri(tracking, os.environ, said, _storage(suite))
    told = {"uri": shown(uri), "said by": source}
    try:
        require_reachable(uri, timeout_s=5.0)
    except UserError as error:
        return told | {"answers": f"no: {error.faults[0].what}"}
    return told | {"answers": "yes"}


def _gpus() -> list[str]:
    """The GPUs that torch sees; none where it is not installed."""
    try:
        import torch
    except ImportError:
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _storage(suite: str | None) -> Path:
    from polygraft.suite.load import load

    return Path(load(suite).storage if suite else "runs").resolve()


def _places(suite: str | None) -> list[Path]:
    """Where a run writes: its storage, numba's compiled kernels, temporary files."""
    import tempfile

    from polygraft.data import kernels

    compiled = os.environ.get("NUMBA_CACHE_DIR")
    own = Path(compiled) if compiled else Path(str(kernels.__file__)).parent / "__pycache__"
    return [_storage(suite), own, Path(tempfile.gettempdir())]


def _writable(place: Path) -> bool:
    """Whether files can be made there, or in the nearest folder above it that exists."""
    while not place.exists():
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK)


def _extra(name: str) -> str:
    missing = absent(name)
    return f"missing {', '.join(missing)}; {install_command(name)}" if missing else "there"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return f"\n{'':<11} ".join(f"{key}: {_words(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
