"""The catalogue: plugins are read, never run; what is wrong with a mention is said with the mend."""

from __future__ import annotations

import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest

from polygraft.core import candidates as finding
from polygraft.core.catalogue import catalogue

TOY = '''
    """Conflict-averse gradient descent, Liu et al. 2021 (https://arxiv.org/abs/2110.14048), algorithm 1.

    More.
    """
    from typing import Annotated, Literal

    raise RuntimeError("a catalogue never runs a plugin")

    class Base:
        heads = "plain"
        modes = ("parameters",)
        noise = print()
        computed = 1

        def __init__(self, rate: float = 1) -> None: ...

    class CAGrad(Base, metaclass=type):
        """Weights within a ball.

        c: radius of the ball,
            in words. how: which way. low, widths: sizes.
        """

        needs: str = "gramian"
        modes = ("last_layer", "parameters")
        later: int
        computed = max(1, 2)
        _own = 1

        def __init__(
            self,
            tasks: int,
            width: int = 3,
            /,
            c: Annotated[float, Range(min=0)] = 0.4,
            how: Literal["fast", "slow"] = "fast",
            *,
            widths: list[int],
            low: float = 0,
            from_: str | None = None,
        ) -> None: ...
'''


@pytest.fixture
def toys(tmp_path: Path):
    def write(name: str, text: str, room: str = "toys") -> Path:
        folder = tmp_path / "plugins" / room
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
        return tmp_path

    return write


def test_a_plugin_is_what_its_file_says(toys) -> None:
    plugin = catalogue("toys", toys("ca_grad", TOY))["ca_grad"]
    assert plugin.class_name == "CAGrad"
    assert plugin.source.startswith("Conflict-averse gradient descent, Liu et al. 2021")
    assert plugin.summary == "Weights within a ball."
    assert plugin.facts == {"heads": "plain", "needs": "gramian", "modes": ("last_layer", "parameters")}
    assert plugin.asks == ("tasks", "width")
    told = [(each.name, str(each.kind), each.default, each.required, each.doc) for each in plugin.settings]
    assert told == [
        ("c", "a number >= 0", 0.4, False, "radius of the ball, in words."),
        ("how", "'fast' or 'slow'", "fast", False, "which way."),
        ("widths", "a list, each item a whole number", None, True, "sizes."),
        ("low", "a number", 0.0, False, "sizes."),
        ("from", "a text or null", None, False, ""),
    ]


def test_a_plugin_without_a_constructor_has_its_base_s(toys) -> None:
    text = "class Base:\n    def __init__(self, rate: float = 1.0): ...\nclass Mine(Base):\n    pass\n"
    assert [each.name for each in catalogue("toys", toys("mine", text))["mine"].settings] == ["rate"]


def test_facts_of_the_room_s_base_are_inherited(toys) -> None:
    text = """
        from polygraft.balancing.base import Surgery

        class Mine(Surgery):
            pass
    """
    facts = catalogue("balancing", toys("mine", text, "balancing"))["mine"].facts
    assert facts["needs"] == "rows"
    assert facts["heads"] == "plain"


def test_names_are_chosen_by_facts(toys) -> None:
    toys("ca_grad", TOY)
    beside = toys("other", 'class Other:\n    needs = "rows"\n')
    plugins = catalogue("toys", beside)
    assert list(plugins) == ["ca_grad", "other"]
    assert plugins.names(needs="rows") == ["other"]
    assert plugins.names(modes="last_layer", needs="gramian") == ["ca_grad"]
    assert plugins.names(modes="features") == []


@pytest.mark.parametrize(
    ("name", "settings", "problems"),
    [
        ("ca_grad", {"widths": [1], "c": 1, "low": 2, "from": "x"}, []),
        (
            "cagrd",
            {},
            [("name", "no plugin is called 'cagrd'. Did you mean 'ca_grad'? `polygraft list toys` shows all 1.")],
        ),
        (
            "ca_grad",
            {"widths": [], "wide": 3},
            [("wide", "'ca_grad' has no setting 'wide'. Did you mean 'widths'? It has c, how, widths, low, from.")],
        ),
        ("ca_grad", {"widths": [1, "a"]}, [("widths", "takes a list, each item a whole number, not [1, 'a'].")]),
        ("ca_grad", {"widths": [], "c": -1}, [("c", "takes a number >= 0, not -1.")]),
        (
            "ca_grad",
            {"widths": [], "how": "fats"},
            [("how", "takes 'fast' or 'slow', not 'fats'. Did you mean 'fast'?")],
        ),
        (
            "ca_grad",
            {"c": True},
            [
                ("c", "takes a number >= 0, not True."),
                ("widths", "'ca_grad' needs it: a list, each item a whole number."),
            ],
        ),
        (
            "ca_grad",
            {"widths": [], "tasks": 3},
            [("tasks", "'ca_grad' has no setting 'tasks'. It has c, how, widths, low, from.")],
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_mend(toys, name: str, settings: dict, problems: list) -> None:
    plugins = catalogue("toys", toys("ca_grad", TOY))
    assert plugins.problems(name, settings) == problems
    assert [str(each) for each in plugins.faults(name, settings, "f:1")] == [
        f"f:1: {key}: {what}" for key, what in problems
    ]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("class Mine(:\n", ":1", "this is not Python: invalid syntax."),
        ("x = 1\n", "", "no class here is called Mine, in any capitals."),
        (
            "class Mine:\n    def __init__(self, **all): ...\n",
            "",
            "line 2: a plugin's constructor names its settings, without * and **.",
        ),
        (
            "class Mine:\n    def __init__(self, a: Tensor): ...\n",
            "",
            "line 2: parameter 'a': the annotation Tensor is none that a suite can hold.",
        ),
        (
            "class Mine:\n    def __init__(self, a=1): ...\n",
            "",
            "line 2: parameter 'a': the annotation nothing is none that a suite can hold.",
        ),
        (
            "class Mine:\n    def __init__(self, a: int = 0.5): ...\n",
            "",
            "line 2: parameter 'a': its default 0.5 is not a whole number.",
        ),
    ],
)
def test_a_file_that_is_no_plugin_says_so(toys, text: str, where: str, what: str) -> None:
    beside = toys("mine", text)
    plugins = catalogue("toys", beside)
    assert list(plugins) == []
    assert str(plugins.broken["mine"]) == f"{beside}/plugins/toys/mine.py{where}: {what}"
    assert plugins.problems("mine", {}) == [("name", str(plugins.broken["mine"]))]


def test_a_user_s_plugin_cannot_take_the_name_of_ours(toys) -> None:
    plugins = catalogue("models/trunks", toys("mlp", "class MLP: ...\n", "models/trunks"))
    assert plugins["mlp"].module == "polygraft.models.trunks.mlp"
    assert "'mlp' is already the name of polygraft.models.trunks.mlp; call this one something else." in str(
        plugins.broken["mlp"]
    )


def test_a_user_s_plugin_derives_from_the_room_s_base(toys) -> None:
    beside = toys("mine", "class Mine: ...\n", "balancing")
    what = "Mine derives from no class of polygraft/balancing/base.py, as a plugin of this room does."
    assert catalogue("balancing", beside).broken["mine"].what == what


def test_a_plugin_of_an_installed_package_is_read_without_importing_it(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "guest_package" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "guest_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "guest.py").write_text('"""A guest."""\nclass Guest:\n    def __init__(self, a: int = 1): ...\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    point = metadata.EntryPoint("guest", "guest_package.inner.guest:Guest", "polygraft.toys")
    gone = metadata.EntryPoint("gone", "no_such_package.gone", "polygraft.toys")
    monkeypatch.setattr(finding, "_entry_points", lambda: (point, gone))
    plugins = catalogue("toys")
    assert list(plugins) == ["guest"]
    assert plugins["guest"].module == "guest_package.inner.guest"
    assert not any(name.startswith("guest_package") for name in sys.modules)


def test_a_plugin_whose_extra_is_missing_is_listed_and_says_which(toys) -> None:
    plugin = catalogue("toys", toys("mine", 'class Mine:\n    extra = "no-such-extra"\n'))["mine"]
    assert plugin.absent == ("no-such-extra",)


def test_a_changed_file_is_read_again(toys) -> None:
    beside = toys("mine", "class Mine:\n    needs = 'a'\n")
    assert catalogue("toys", beside)["mine"].facts == {"needs": "a"}
    path = beside / "plugins" / "toys" / "mine.py"
    path.write_text("class Mine:\n    needs = 'bb'\n")
    assert catalogue("toys", beside)["mine"].facts == {"needs": "bb"}
