"""Recipes: run once for equal inputs, again for others, and failing in words."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from polygraft.core.errors import UserError
from polygraft.data.preparation import raw_table
from polygraft.data.recipes import from_pandas, recipe
from polygraft.data.spec import TableSpec

COUNTED = """
from pathlib import Path
import pandas as pd
READS = ("in/*.txt",)
HERE = Path(__file__).parent
def table():
    (HERE / "runs").write_text((HERE / "runs").read_text() + "." if (HERE / "runs").exists() else ".")
    return pd.DataFrame({"x": [float(word) for file in sorted((HERE / "in").iterdir()) for word in file.read_text().split()]})
"""


def spec(folder: Path, text: str, function: str = "table") -> TableSpec:
    (folder / "recipe.py").write_text(text)
    return TableSpec("t", (f"recipe.py:{function}",), folder)


def test_a_recipe_runs_once_until_what_it_reads_changes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("1 2")
    for _ in range(2):
        assert raw_table(spec(tmp_path, COUNTED), tmp_path / "cache").to_pydict() == {"x": [1.0, 2.0]}
    assert (tmp_path / "runs").read_text() == "."
    (tmp_path / "in" / "a.txt").write_text("1 3")
    assert raw_table(spec(tmp_path, COUNTED), tmp_path / "cache").to_pydict() == {"x": [1.0, 3.0]}
    raw_table(spec(tmp_path, COUNTED + "# a word more\n"), tmp_path / "cache")
    assert (tmp_path / "runs").read_text() == "..."


@pytest.mark.parametrize(
    "text",
    [
        "import pyarrow as pa\ndef table(): return pa.table({'x': [1, 2]})",
        "import pandas as pd\ndef table(): return pd.DataFrame({'x': [1, 2]})",
        "def table():\n    from pathlib import Path\n    return Path(__file__).parent / 'made.csv'",
        "def table(): return 'made.csv'",
    ],
)
def test_a_recipe_gives_a_table_a_frame_or_a_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "made.csv").write_text("x\n1\n2\n")
    assert raw_table(spec(tmp_path, text), tmp_path / "cache").to_pydict() == {"x": [1, 2]}


def test_declared_packages_are_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = spec(tmp_path, 'REQUIRES = ("numpy>=1",)\ndef table(): ...')
    found = recipe(made.sources[0], tmp_path)
    assert found is not None
    before = found.digest()
    monkeypatch.setattr("polygraft.data.recipes.metadata.version", lambda name: "0.0")
    assert found.digest() != before


def words(folder: Path, text: str, function: str = "table") -> str:
    with pytest.raises(UserError) as error:
        raw_table(spec(folder, text, function), folder / "cache")
    return str(error.value).replace(str(folder) + "/", "")


def test_a_package_that_is_not_installed_is_named_with_the_command(tmp_path: Path) -> None:
    text = 'REQUIRES = ("no-such-thing==1.2",)\ndef table(): ...'
    wanted = (
        "needs the package 'no-such-thing', which is not installed. Install it with: pip install 'no-such-thing==1.2'"
    )
    assert words(tmp_path, text) == f"recipe.py: {wanted}"


def test_a_module_that_is_not_installed_is_named_at_its_line(tmp_path: Path) -> None:
    text = "def table():\n    import no_such_thing\n"
    assert words(tmp_path, text).startswith("recipe.py:2: needs the module 'no_such_thing', which is not installed.")


def test_a_recipe_that_fails_is_told_with_its_own_line(tmp_path: Path) -> None:
    text = "import json\ndef table():\n    return json.loads('{')\n"
    assert words(tmp_path, text).startswith(
        "recipe.py:3: the recipe failed with JSONDecodeError: Expecting property name"
    )
    assert not list((tmp_path / "cache" / "recipes").iterdir())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("def tabel(): ...", "recipe.py: the recipe has no function 'table'. Did you mean 'tabel'? It has tabel."),
        ("def table(:", "recipe.py:1: this is not Python: invalid syntax"),
        (
            "def table(): return 3",
            "recipe.py:table: gave a int; a recipe gives an Arrow table, a pandas frame or a path.",
        ),
        (
            "import os\nREQUIRES = (os.name,)\ndef table(): ...",
            "recipe.py:2: REQUIRES is a tuple of texts, written out.",
        ),
        ("READS = ('no.txt',)\ndef table(): ...", "no.txt: there is no such file."),
    ],
)
def test_what_is_no_recipe_is_said(tmp_path: Path, text: str, wanted: str) -> None:
    assert words(tmp_path, text).startswith(wanted)


def test_a_repeated_name_and_a_mixed_column_are_said(tmp_path: Path) -> None:
    twice = "import pandas as pd\ndef table(): return pd.DataFrame([[1, 2]], columns=['a', 'a'])"
    assert words(tmp_path, twice) == "recipe.py:table: column names repeat: a. Give each column a name of its own."
    mixed = "import pandas as pd\ndef table(): return pd.DataFrame({'a': [1, 'x']})"
    assert words(tmp_path, mixed).startswith("recipe.py:table: a column mixes types:")


def test_times_with_a_zone_are_the_same_moments_in_utc() -> None:
    times = pd.Series(pd.date_range("2013-03-09 22:00", periods=5, freq="6h", tz="US/Eastern"))
    times[1] = pd.NaT
    made = from_pandas(pd.DataFrame({"when": times, "late": [1, 0, 1, 0, 1]}), "")
    assert made.schema.field("when").type.tz == "UTC"
    assert made.column("when").to_pylist() == [None if pd.isna(time) else time.to_pydatetime() for time in times]
    assert made.column("late").to_pylist() == [1, 0, 1, 0, 1]


def test_a_recipe_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "recipes.py").touch()
    with pytest.raises(UserError, match=r"there is no such recipe file\. Did you mean 'recipes\.py'\?"):
        recipe("recipe.py:table", tmp_path)
