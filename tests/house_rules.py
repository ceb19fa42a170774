"""The rules of the house that no linter knows, as pure functions: a source tree in, the breaches out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

FILE_LINES, FUNCTION_LINES, ARGUMENTS, POSITIONAL = 300, 60, 6, 3
PACKAGE = Path("platform/polygraft")
CODE = ("platform", "tests", "tasks", "docs")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(root: Path, *folders: str) -> Iterator[tuple[str, str]]:
    """Every Python file under the folders: its path from the root, and its text."""
    for folder in folders:
        for file in sorted((root / folder).rglob("*.py")):
            if "__pycache__" not in file.parts:
                yield str(file.relative_to(root)), file.read_text(encoding="utf-8")


def file_sizes(root: Path) -> list[str]:
    """No file is longer than 300 lines."""
    sizes = {path: text.count("\n") for path, text in sources(root, *CODE)}
    return [f"{path}: {lines} lines, at most {FILE_LINES}" for path, lines in sizes.items() if lines > FILE_LINES]


def median_size(root: Path) -> float:
    """Lines of the package's median file; empty files do not count."""
    return median(text.count("\n") for _, text in sources(root, str(PACKAGE)) if text)


def function_sizes(root: Path) -> list[str]:
    """No function is longer than 60 lines, from its `def` to its end."""
    breaches = []
    for path, text in sources(root, *CODE):
        for function in _functions(ast.parse(text)):
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > FUNCTION_LINES:
                breaches.append(f"{path}:{function.lineno}: {function.name}: {lines} lines, at most {FUNCTION_LINES}")
    return breaches


def arguments(root: Path) -> list[str]:
    """No more than 6 arguments, and no option (an argument with a default) after the third that is not keyword-only.

    Exempt are those whose arguments are something else: a plugin's constructor (its schema), a kernel's (its buffers), a
    command's (its flags), and the public names', which are the flags again.
    """
    breaches = []
    exempt = {(path, "__init__") for path, _, _ in _plugins(root)} | _public(root)
    for path, text in sources(root, str(PACKAGE)):
        for function in _functions(ast.parse(text)):
            if (
                (path, function.name) in exempt
                or "/kernels/" in path
                or ("/cli/" in path and function.name == "command")
            ):
                continue
            named = function.args
            plain = [each for each in (*named.posonlyargs, *named.args) if each.arg not in ("self", "cls")]
            count, where = len(plain) + len(named.kwonlyargs), f"{path}:{function.lineno}: {function.name}"
            if count > ARGUMENTS:
                breaches.append(f"{where}: {count} arguments, at most {ARGUMENTS}")
            options = plain[max(POSITIONAL, len(plain) - len(named.defaults)) :]
            if options:
                breaches.append(f"{where}: make keyword-only: {', '.join(each.arg for each in options)}")
    return breaches


def _public(root: Path) -> set[tuple[str, str]]:
    """File and function of each public name: `polygraft.train` and the constructors of `polygraft.Balance` and its kin."""
    tree = ast.parse((root / PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    names = next(
        (node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_NAMES"),
        None,
    )
    public = ast.literal_eval(names) if names else {}
    files = {name: f"platform/{module.replace('.', '/')}.py" for name, module in public.items()}
    return {(file, "__init__" if name[0].isupper() else name) for name, file in files.items()}


def shadows(root: Path) -> list[str]:
    """Nothing stands in front of the standard library's `platform`."""
    found = (root / "platform/__init__.py", root / "tests/platform", root / "platform.py", root / "tests/platform.py")
    return [f"{each.relative_to(root)}: shadows the standard library's `platform`" for each in found if each.exists()]


def idle_names(root: Path) -> list[str]:
    """No file or folder has a name that says nothing."""
    idle = re.compile(r"(^|_)(utils?|helpers?|common|misc)(_|$)")
    paths = [Path(path) for path, _ in sources(root, *CODE)]
    return [
        f"{path}: say what it is" for path in paths if any(idle.search(part.removesuffix(".py")) for part in path.parts)
    ]


def plugin_sources(root: Path) -> list[str]:
    """Each plugin's module says where its mathematics is from: a link, or `Standard` and where to read of it."""
    known = re.compile(r"https?://|\bStandard\b.*\(.+\)|\b(19|20)\d\d\b")
    return [
        f"{path}: the docstring names no source (a link, or 'Standard ...' with a reference)"
        for path, _, tree in _plugins(root)
        if not known.search(" ".join((ast.get_docstring(tree) or "").split()))
    ]


def openings(root: Path) -> list[str]:
    """Each module opens with a sentence."""
    breaches = []
    for path, text in sources(root, *CODE):
        opening = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].strip()
        if text.strip() and not opening.endswith((".", "?", "!", ":", ".)")):
            breaches.append(f"{path}: open the module with one sentence that says what it is")
    return breaches


def promises_to_self(root: Path) -> list[str]:
    """Nothing is left to be done later: it is done, or an issue."""
    mark = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")  # lest this file breaks it
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in sources(root, *CODE)
        for number, line in enumerate(text.splitlines(), 1)
        if mark.search(line)
    ]


def inits(root: Path) -> list[str]:
    """`__init__.py` files are empty, but the package's own and, in a plugin room, a docstring and its registry."""
    breaches = []
    for path, text in sources(root, *CODE):
        place = Path(path)
        if place.name != "__init__.py" or place == PACKAGE / "__init__.py" or not text.strip():
            continue
        room = place.parent.relative_to(PACKAGE).as_posix() if place.is_relative_to(PACKAGE) else ""
        if ast.dump(ast.parse(text)) != ast.dump(ast.parse(_registry(room, ast.get_docstring(ast.parse(text)) or ""))):
            breaches.append(f"{path}: empty, or a docstring and `registry = Registry({room!r})`")
    return breaches


def _registry(room: str, docstring: str) -> str:
    return f'"""{docstring}"""\nfrom polygraft.core.registry import Registry\nregistry = Registry("{room}")\n'


def unsafe_files(root: Path) -> list[str]:
    """No pickle is read or written: torch.save, torch.load but for weights, np.load(allow_pickle), joblib and their kin."""
    breaches = []
    for path, text in sources(root, str(PACKAGE)):
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            name, given = ast.unparse(node.func), {each.arg: ast.unparse(each.value) for each in node.keywords}
            pickles = re.fullmatch(
                r"(pickle|cloudpickle|dill|joblib)\.(loads?|dumps?|Unpickler)|torch\.save|pd\.read_pickle", name
            )
            loads = name == "torch.load" and given.get("weights_only") != "True"
            if pickles or loads or given.get("allow_pickle") == "True":
                breaches.append(
                    f"{path}:{node.lineno}: {name} reads or writes a pickle; safetensors, JSON or Arrow do not"
                )
    return breaches


def swallowed(root: Path) -> list[str]:
    """Whoever catches every exception raises again, or says what it was."""
    breaches = []
    for path, text in sources(root, str(PACKAGE)):
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            kinds = {"BaseException"} if node.type is None else {ast.unparse(each) for each in _kinds(node.type)}
            inside = [each for line in node.body for each in ast.walk(line)]
            told = any(
                isinstance(each, ast.Raise) or (isinstance(each, ast.Name) and each.id == node.name) for each in inside
            )
            if kinds & {"Exception", "BaseException"} and not told:
                breaches.append(f"{path}:{node.lineno}: swallows every exception; raise again, or name the kinds")
    return breaches


def _kinds(caught: ast.expr) -> list[ast.expr]:
    return caught.elts if isinstance(caught, ast.Tuple) else [caught]


def arrows(root: Path) -> dict[str, set[str]]:
    """For each room, the rooms it imports."""
    rooms = {each.name for each in (root / PACKAGE).iterdir() if each.is_dir() and each.name != "__pycache__"}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for path, text in sources(root, str(PACKAGE)):
        room = Path(path).relative_to(PACKAGE).parts[0]
        if room in rooms:
            found[room] |= {name for name in _imported(ast.parse(text)) if name in rooms and name != room}
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    """The rooms that a module names in its imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "polygraft":
            yield from (each.name for each in node.names)
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
        yield from (name.split(".")[1] for name in names if name.startswith("polygraft."))


def architecture(root: Path) -> list[str]:
    """ARCHITECTURE.md has a paragraph for each room, `**room** ...`, that ends by saying which rooms it imports."""
    text = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    told = {
        match[1]: match[0] for match in re.finditer(r"^\*\*(\w+)\*\*.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    }
    breaches = []
    for room, true in sorted(arrows(root).items()):
        if room not in told:
            breaches.append(f"ARCHITECTURE.md: no paragraph '**{room}** ...'")
            continue
        ending = re.search(r"Imports\s([^.]*)\.\s*$", told[room])
        said = set(re.findall(r"`(\w+)`", ending[1])) if ending else set()
        breaches += [f"ARCHITECTURE.md: {room} imports {other}, say why" for other in sorted(true - said)]
        breaches += [f"ARCHITECTURE.md: {room} does not import {other}" for other in sorted(said - true)]
    return breaches


def file_map(root: Path) -> list[str]:
    """ARCHITECTURE.md's map has a line for each module of the package, `core/batch.py  what it is`, and for no other."""
    text = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^([\w/]+\.py)  +\S", text, re.MULTILINE))
    true = {}
    for path, module in sources(root, str(PACKAGE)):
        if not path.endswith("__init__.py"):
            sentence = (ast.get_docstring(ast.parse(module)) or "").split("\n\n")[0].rstrip(".")
            true[Path(path).relative_to(PACKAGE).as_posix()] = " ".join(sentence.split())
    missing = [f"ARCHITECTURE.md: add to the map: {path:34} {true[path]}" for path in sorted(true.keys() - told)]
    return missing + [f"ARCHITECTURE.md: there is no {path}" for path in sorted(told - true.keys())]


def benches(root: Path) -> list[str]:
    """Every bench runs without arguments, which is how `make bench` runs it."""
    breaches = []
    for path, text in sources(root, "tests/bench"):
        for call in [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]:
            if not ast.unparse(call.func).endswith(".add_argument") or not isinstance(call.args[0], ast.Constant):
                continue
            said = {each.arg: ast.unparse(each.value) for each in call.keywords}
            positional = not str(call.args[0].value).startswith("-") and said.get("nargs") not in ("'?'", "'*'")
            if positional or said.get("required") == "True":
                breaches.append(f"{path}:{call.lineno}: {call.args[0].value} has no default")
    return breaches


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _plugins(root: Path) -> Iterator[tuple[str, str, ast.Module]]:
    """Path, class and tree of each plugin: a file in a plugin room with a class of the file's name."""
    for path, text in sources(root, str(PACKAGE)):
        place = Path(path)
        init = root / place.parent / "__init__.py"
        if place.parent == PACKAGE or not init.exists() or not init.read_text(encoding="utf-8").strip():
            continue
        tree = ast.parse(text)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.bases and node.name.lower() == place.stem.replace("_", ""):
                yield path, node.name, tree
