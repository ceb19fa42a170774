"""Every suite of tasks/ is complete, short and without a fault, and names the packages that its recipe needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from polygraft.core.errors import UserError
from polygraft.data.recipes import recipe
from polygraft.suite.load import load

SUITES = sorted(Path(__file__).parents[3].glob("tasks/*/suite.yaml"))
ALL = sorted(Path(__file__).parents[3].glob("tasks/*/*.yaml"))


@pytest.fixture(params=SUITES, ids=lambda path: path.parent.name)
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.mark.parametrize("file", ALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_suite_is_at_most_60_lines_and_has_no_fault(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 60
    suite = load(file).suite
    assert suite == file.parent.name if file.name == "suite.yaml" else suite


def test_each_absent_package_is_one_line_with_the_command(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "recipe.py"
    text = re.sub(r'"[\w-]+[=>]=', '"absent-a==', (path.parent / "recipe.py").read_text())
    file.write_text(text)
    sources = [table.source for table in load(path).data.values()]
    named = [each if isinstance(each, str) else each["environment"] for each in sources]
    found = next(filter(None, (recipe(each, tmp_path) for each in named)))
    with pytest.raises(
        UserError, match=r"needs the package 'absent-a', which is not installed\. Install it with: pip install"
    ) as caught:
        found.digest()
    lines = str(caught.value).splitlines()
    assert len(lines) == text.count("absent-a==") == sum("absent-a" in line for line in lines)
