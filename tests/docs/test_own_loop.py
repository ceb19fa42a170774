"""docs/own_loop.md: its code is that of the examples and tests, and the examples do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EPOCHS, STEPS = 15, 315  # digits.py: 1,400 rows in batches of 64
ENGINES = {"in_lightning": "lightning", "in_trainer": "transformers"}


def run(folder: Path, *command: str) -> list[str]:
    """What a user's shell would print: the examples are processes of their own, with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{folder}:{folder.parents[1] / 'platform'}"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if " accuracy " in line]


def weights(line: str) -> str:
    return line.split("weights ")[1]


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "docs/own_loop"


@pytest.fixture(scope="module")
def lines(folder: Path) -> dict[str, str]:
    """The examples' last lines. One process runs them one after the other, which saves it most of the imports."""
    examples = [["plain"], ["torchrun"], ["half_precision"]]
    examples += [["in_lightning"]] if find_spec("lightning") else []
    examples += [["in_trainer"], ["in_trainer", "2"]] if find_spec("transformers") else []
    program = "import runpy, sys\nfor each in {}:\n    sys.argv = each\n    runpy.run_path(each[0] + '.py', run_name='__main__')"
    printed = run(folder, "-c", program.format(examples))
    return dict(zip((" ".join(each) for each in examples), printed, strict=True))


def test_each_block_of_the_guide_is_code_that_runs(repository: Path, folder: Path) -> None:
    sources = [each.read_text() for each in folder.glob("*.py")]
    sources.append((repository / "tests/unit/balancing/test_own_loop_torch.py").read_text())
    blocks = re.findall(r"^```python\n(.*?)^```", (folder.parent / "own_loop.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 7
    assert not [block for block in blocks if not any(block in source for source in sources)]


def test_the_guide_names_every_example(folder: Path) -> None:
    guide = (folder.parent / "own_loop.md").read_text()
    assert not [each.name for each in folder.glob("*.py") if f"own_loop/{each.name}" not in guide]


@pytest.mark.slow
def test_the_plain_loop_learns_both_tasks(lines: dict[str, str]) -> None:
    accuracies = [float(each) for each in re.findall(r"accuracy (\d\.\d+)", lines["plain"])]
    assert len(accuracies) == 2
    assert min(accuracies) > 0.85
    assert f"of {STEPS} steps" in lines["plain"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_lightning_and_a_trainer_end_with_the_plain_loops_weights(lines: dict[str, str], name: str) -> None:
    pytest.importorskip(ENGINES[name], reason="a dev extra: make venv")
    assert weights(lines[name]) == weights(lines["plain"])


@pytest.mark.slow
def test_a_trainer_takes_two_micro_batches_a_step_and_one_at_an_epochs_end(lines: dict[str, str]) -> None:
    pytest.importorskip("transformers", reason="a dev extra: make venv")
    assert f"of {22 * EPOCHS} steps" in lines["in_trainer 2"]  # 43 micro-batches of 32 rows an epoch
    assert min(float(each) for each in re.findall(r"accuracy (\d\.\d+)", lines["in_trainer 2"])) > 0.85


@pytest.mark.slow
def test_half_precision_skips_what_overflows_and_learns(lines: dict[str, str]) -> None:
    skipped, scale, steps = re.findall(r"(\d+) skipped, scale (\d+),.* of (\d+) steps", lines["half_precision"])[0]
    assert int(scale) * 2 ** int(skipped) == 2**30
    assert int(skipped) > 0
    assert int(skipped) + int(steps) == 22 * EPOCHS
    assert min(float(each) for each in re.findall(r"accuracy (\d\.\d+)", lines["half_precision"])) > 0.85


@pytest.mark.slow
def test_two_ranks_under_torchrun_end_with_the_bits_of_one_process(
    folder: Path, lines: dict[str, str], tmp_path: Path
) -> None:
    # Once in twenty on a busy machine torch's own threads abort a rank at the interpreter's exit, plain DDP too: leave before.
    (tmp_path / "rank.py").write_text(
        "import os, runpy, sys\nrunpy.run_path('torchrun.py', run_name='__main__')\nsys.stdout.flush()\nos._exit(0)\n"
    )
    asked = ["--standalone", "--nproc-per-node", "2", str(tmp_path / "rank.py")]
    printed = run(folder, "-m", "torch.distributed.run", *asked)
    words = " ".join(printed)  # two processes write to one pipe, and their pieces may mingle
    assert sorted(re.findall(r"rank \d of 2", words)) == ["rank 0 of 2", "rank 1 of 2"]
    assert re.findall(r"weights ([0-9a-f]{12})", words) == [weights(lines["torchrun"])] * 2
