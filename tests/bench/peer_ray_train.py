"""The peer of `startup.py`: Ray Train's TorchTrainer with an empty loop, from the command to its first collective.

    python tests/bench/peer_ray_train.py [WORKERS]

Prints the seconds since the process began.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path


def began() -> float:
    """When this process began, in seconds since 1970."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def loop(config: dict[str, str]) -> None:
    """One sum over the workers; rank 0 notes when it is done."""
    import torch
    import torch.distributed as dist

    dist.all_reduce(torch.ones(1))
    if dist.get_rank() == 0:
        Path(config["note"]).write_text(str(time.time()))


def main(workers: int) -> float:
    """Seconds from this process's beginning to the first collective."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    start = began()
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "note"
        ray.init(
            address="local", include_dashboard=False, num_cpus=workers + 1, log_to_driver=False, logging_level="ERROR"
        )
        try:
            TorchTrainer(
                loop,
                train_loop_config={"note": str(note)},
                torch_config=TorchConfig(backend="gloo"),
                scaling_config=ScalingConfig(num_workers=workers),
                run_config=RunConfig(storage_path=folder),
            ).fit()
        finally:
            ray.shutdown()
        return float(note.read_text()) - start


if __name__ == "__main__":
    print(f"ray train  {main(int(sys.argv[1]) if len(sys.argv) > 1 else 2):.1f} s to the first collective", flush=True)
