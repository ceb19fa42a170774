"""Two runs that ended alike: all that they keep is equal to the byte."""

from __future__ import annotations

from pathlib import Path


def assert_same_end(one: Path, other: Path) -> None:
    """Equal bits in two runs' folders: every part of the last checkpoint (weights, moments, histories), the model, the numbers."""
    kept = [_kept(folder) for folder in (one, other)]
    assert kept[0] == kept[1], f"{kept[0]} beside {kept[1]}"
    for name in kept[0]:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def _kept(folder: Path) -> list[str]:
    """What is compared, as paths inside the folder."""
    last = max(folder.glob("checkpoints/step-*"))
    files = [*last.glob("*.safetensors"), folder / "model/weights.safetensors", folder / "metrics.jsonl"]
    return sorted(str(file.relative_to(folder)) for file in files)
