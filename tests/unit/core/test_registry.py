"""The registry: it makes what the catalogue describes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from polygraft.core.errors import UserError
from polygraft.core.registry import Registry

MINE = """
class Mine:
    def __init__(self, tasks: int, width: int = 7, /, c: float = 0.4, from_: str = "x") -> None:
        self.given = (tasks, width, c, from_)
"""


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins" / "toys"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(MINE)
    (folder / "hubby.py").write_text('class Hubby:\n    extra = "no-such-extra"\n')
    (folder / "bad.py").write_text("import no_such_module\nclass Bad: ...\n")
    return tmp_path


def test_a_plugin_is_given_what_it_asks_for_and_its_settings(beside: Path) -> None:
    made = Registry("toys").make("mine", {"c": 1, "from": "y"}, beside=beside, tasks=3, width=5, device="cpu")
    assert made.given == (3, 5, 1.0, "y")
    assert isinstance(made.given[2], float)


def test_what_is_not_given_has_its_default(beside: Path) -> None:
    assert Registry("toys").make("mine", beside=beside, tasks=3).given == (3, 7, 0.4, "x")


def test_a_class_is_imported_once(beside: Path) -> None:
    assert Registry("toys").find("mine", beside) is Registry("toys").find("mine", beside)


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("mien", {}, "no plugin is called 'mien'. Did you mean 'mine'? `polygraft list toys` shows all 3."),
        ("mine", {"d": 1}, "plugin 'mine': d: 'mine' has no setting 'd'. It has c, from."),
        ("hubby", {}, "'hubby' needs no-such-extra. Install it with: pip install 'polygraft[no-such-extra]'"),
    ],
)
def test_what_cannot_be_made_says_why(beside: Path, name: str, settings: dict, told: str) -> None:
    with pytest.raises(UserError) as error:
        Registry("toys").make(name, settings, beside=beside, tasks=1)
    assert str(error.value) == told


def test_a_plugin_that_does_not_import_says_which_file(beside: Path) -> None:
    with pytest.raises(UserError) as error:
        Registry("toys").find("bad", beside)
    path = beside / "plugins" / "toys" / "bad.py"
    assert (
        str(error.value) == f"{path}: the plugin does not import: ModuleNotFoundError: No module named 'no_such_module'"
    )
