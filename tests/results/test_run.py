"""`make results`: a row that is made stays made, whatever happens to the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
ROWS = """
[one]
minutes = 7
commands = ["python count.py a"]
[two]
minutes = 7
commands = ["python count.py b", "python count.py"]
[three]
minutes = 7
commands = ["python count.py c"]
"""
COUNT = "import sys\nopen(sys.argv[1], 'a').write('x')\nprint('figure', *sys.argv[1:])"


def results(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUN), "--rows", "rows.toml", "--out", "out", *words],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three rows: one that ends well, one that fails after a command that does not, one that ends well."""
    (tmp_path / "rows.toml").write_text(ROWS)
    (tmp_path / "count.py").write_text(COUNT)
    return tmp_path


def times(home: Path) -> dict[str, int]:
    """How often the counting command of each row has run."""
    return {name: len((home / name).read_text()) for name in "abc" if (home / name).exists()}


def test_a_made_row_is_not_made_again_and_a_failed_one_is(home: Path) -> None:
    first, second = results(home), results(home)
    assert (first.returncode, second.returncode) == (1, 1)
    assert times(home) == {"a": 1, "b": 2, "c": 1}
    assert "two failed with exit code 1; the others go on" in second.stdout
    assert not (home / "out/two.txt").exists()
    assert (home / "out/one.txt").read_text().splitlines()[1] == "figure a"


def test_the_budget_counts_what_is_left(home: Path) -> None:
    assert "left        21" in results(home, "--dry-run").stdout
    assert not times(home)
    results(home)
    assert "left         7" in results(home, "--dry-run").stdout


def test_a_row_whose_commands_were_changed_is_made_again(home: Path) -> None:
    results(home, "one")
    (home / "rows.toml").write_text((home / "rows.toml").read_text().replace("count.py a", "count.py a again"))
    assert results(home, "one").returncode == 0
    assert (home / "out/one.txt").read_text().splitlines()[1] == "figure a again"


def test_an_unknown_row_is_refused_with_the_ones_there_are(home: Path) -> None:
    refused = results(home, "four")
    assert refused.returncode == 2
    assert refused.stderr == "no row is called four. There are one, two, three.\n"
