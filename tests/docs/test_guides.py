"""Every piece of a suite that a guide shows, from `data:` on, is one that `polygraft check` accepts once tasks and steps stand below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from polygraft.suite.load import load

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = [
    pytest.param(block, id=f"{guide.stem}-{number}")
    for guide in sorted(DOCS.glob("*.md"))
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", guide.read_text(), re.DOTALL | re.MULTILINE))
    if block.startswith("data:\n")
]


def test_there_are_guides_to_try() -> None:
    assert {"large_tables-0", "sequences-0", "encoders-0"} <= {str(each.id) for each in BLOCKS}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_guides_suite_is_accepted(tmp_path: Path, block: str) -> None:
    table = re.findall(r"^  (\w+):", block, re.MULTILINE)[0]
    tasks = f"tasks:\n  t: {{data: {table}, target: some, objective: regression}}\n"
    text = "suite: guide\n" + block + ("" if "\ntasks:" in block else tasks)
    (tmp_path / "suite.yaml").write_text(text + ("" if "\ntrain:" in block else "train: {steps: 9}\n"))
    assert table in load(tmp_path / "suite.yaml").data
