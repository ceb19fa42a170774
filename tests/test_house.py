"""The house keeps its rules, and each rule can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import house_rules as rules

ROOT = Path(__file__).parents[1]
RULES = [
    rules.file_sizes,
    rules.function_sizes,
    rules.arguments,
    rules.shadows,
    rules.idle_names,
    rules.plugin_sources,
    rules.openings,
    rules.promises_to_self,
    rules.inits,
    rules.unsafe_files,
    rules.swallowed,
    rules.architecture,
    rules.file_map,
    rules.benches,
]

ROOM = "platform/polygraft"
REGISTRY = (
    '"""The registry of balancers."""\nfrom polygraft.core.registry import Registry\nregistry = Registry("balancing")\n'
)
MAP = "core/words.py  words\nbalancing/base.py  base\nbalancing/pcgrad.py  projecting\n"
GOOD = {
    "ARCHITECTURE.md": MAP
    + "\n# House\n\n**balancing** weighs tasks.\nImports `core`.\n\n**core** holds the words. Imports nothing.\n",
    f"{ROOM}/__init__.py": '"""The package."""\n_NAMES = {"train": "polygraft.core.words"}\n',
    f"{ROOM}/core/__init__.py": "",
    f"{ROOM}/core/words.py": '"""Words."""\ndef train(a, b, c, d, e, f, *, g=1): ...\n',
    f"{ROOM}/balancing/__init__.py": REGISTRY,
    f"{ROOM}/balancing/base.py": '"""What a balancer is."""\nfrom polygraft.core import words\nclass Weighting: ...\n',
    f"{ROOM}/balancing/pcgrad.py": '"""Projecting, Yu et al. (https://arxiv.org/abs/2001.06782)."""\nclass PCGrad(Weighting): ...\n',
}
BAD = [
    (rules.file_sizes, f"{ROOM}/core/long.py", '"""Long."""\n' + "a = 1\n" * 300),
    (rules.function_sizes, f"{ROOM}/core/long.py", '"""Long."""\ndef f():\n' + "    a = 1\n" * 60),
    (rules.arguments, f"{ROOM}/core/wide.py", '"""Wide."""\ndef f(a, b, c, d, e, f, g): ...\n'),
    (rules.arguments, f"{ROOM}/core/wide.py", '"""Wide."""\nclass A:\n    def f(self, a, b, c, d=1): ...\n'),
    (rules.shadows, "platform/__init__.py", ""),
    (rules.shadows, "tests/platform/test_a.py", ""),
    (rules.idle_names, f"{ROOM}/core/utils.py", '"""All sorts."""\n'),
    (rules.idle_names, f"{ROOM}/helpers/words.py", '"""All sorts."""\n'),
    (rules.idle_names, f"{ROOM}/core/yaml_helper.py", '"""All sorts."""\n'),
    (rules.plugin_sources, f"{ROOM}/balancing/mgda.py", '"""The shortest vector."""\nclass MGDA(Weighting): ...\n'),
    (rules.openings, f"{ROOM}/core/mute.py", "a = 1\n"),
    (rules.openings, f"{ROOM}/core/mute.py", '"""some words"""\n'),
    (rules.promises_to_self, f"{ROOM}/core/later.py", '"""Later."""\n# ' + "TO" + "DO: all of it\n"),
    (rules.inits, f"{ROOM}/core/__init__.py", "from polygraft.core.words import train\n"),
    (rules.inits, f"{ROOM}/balancing/__init__.py", REGISTRY.replace('"balancing"', '"models"')),
    (rules.unsafe_files, f"{ROOM}/core/files.py", '"""Files."""\ntorch.save(model, path)\n'),
    (rules.unsafe_files, f"{ROOM}/core/files.py", '"""Files."""\ntorch.load(path)\n'),
    (rules.unsafe_files, f"{ROOM}/core/files.py", '"""Files."""\nnp.load(path, allow_pickle=True)\n'),
    (rules.unsafe_files, f"{ROOM}/core/files.py", '"""Files."""\npickle.loads(data)\n'),
    (rules.swallowed, f"{ROOM}/core/quiet.py", '"""Quiet."""\ntry:\n    f()\nexcept Exception:\n    pass\n'),
    (rules.swallowed, f"{ROOM}/core/quiet.py", '"""Quiet."""\ntry:\n    f()\nexcept:\n    pass\n'),
    (rules.swallowed, f"{ROOM}/core/quiet.py", '"""Quiet."""\ntry:\n    f()\nexcept (OSError, BaseException):\n    pass\n'),
    (rules.benches, "tests/bench/speed.py", 'parser.add_argument("suite")\n'),
    (rules.benches, "tests/bench/speed.py", 'parser.add_argument("--suite", required=True)\n'),
    (rules.file_map, f"{ROOM}/core/more.py", '"""More."""\n'),
    (rules.file_map, "ARCHITECTURE.md", GOOD["ARCHITECTURE.md"] + "core/fewer.py  fewer\n"),
    (rules.architecture, f"{ROOM}/models/net.py", '"""Networks."""\n'),
    (rules.architecture, f"{ROOM}/core/words.py", '"""Words."""\nfrom polygraft.balancing import pcgrad\n'),
    (rules.architecture, "ARCHITECTURE.md", GOOD["ARCHITECTURE.md"].replace("`core`", "`core`, `models`")),
    (rules.architecture, "ARCHITECTURE.md", GOOD["ARCHITECTURE.md"].replace("**core**", "core")),
]  # fmt: skip


def build(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Callable[[Path], list[str]]) -> None:
    assert not (breaches := rule(ROOT)), "\n" + (rule.__doc__ or "") + "\n" + "\n".join(breaches)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_house_has_no_breach(rule: Callable[[Path], list[str]], tmp_path: Path) -> None:
    assert rule(build(tmp_path, GOOD)) == []


@pytest.mark.parametrize(("rule", "path", "text"), BAD, ids=lambda each: getattr(each, "__name__", None))
def test_each_rule_can_fail(rule: Callable[[Path], list[str]], path: str, text: str, tmp_path: Path) -> None:
    assert rule(build(tmp_path, {**GOOD, path: text}))


def test_what_is_exempt_passes(tmp_path: Path) -> None:
    many = "a, b, c, d, e, f, g, h"
    files = {
        f"{ROOM}/balancing/pcgrad.py": f'"""Yu et al. 2020."""\nclass PCGrad(Weighting):\n    def __init__(self, {many}): ...\n',
        f"{ROOM}/data/kernels/encode.py": f'"""Kernels."""\ndef encode({many}): ...\n',
        f"{ROOM}/core/words.py": f'"""Words."""\ndef train({many}): ...\n',
        f"{ROOM}/core/loud.py": '"""Loud."""\ntry:\n    f()\nexcept Exception as error:\n    say(error)\n',
        f"{ROOM}/core/files.py": '"""Files."""\ntorch.load(path, weights_only=True)\n',
    }
    house = build(tmp_path, {**GOOD, **files})
    assert (
        rules.arguments(house) + rules.swallowed(house) + rules.unsafe_files(house) + rules.plugin_sources(house) == []
    )


def test_the_median_file_is_short() -> None:
    assert rules.median_size(ROOT) <= 100
