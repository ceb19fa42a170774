"""The command line: the result on stdout, words on stderr, the exit code, and no traceback for what a person can mend."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from polygraft.cli import main as main_module
from polygraft.cli.main import Commands, cli, main, run
from polygraft.core.errors import Fault, RunFailed, UserError
from polygraft.suite.identity import as_yaml
from polygraft.suite.load import load
from polygraft.version import __version__

SUITE = """\
suite: toys
data: {t: {source: a.csv}}
tasks: {a: {data: t, target: y, objective: regression}}
train: {steps: 2000}
"""
HEAVY = {"torch", "pandas", "pyarrow", "mlflow", "ray", "numpy", "numba", "torchmetrics", "sklearn"}


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    return "suite.yaml"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["check", "suite.yaml"],
        ["check", "suite.yaml", "--json"],
        ["list"],
        ["list", "balancers"],
        ["schema"],
        ["check", "--help"],
        ["completion", "fish"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(suite: str, arguments: list[str]) -> None:
    code = f"import sys\nfrom polygraft.cli.main import run\nrun({arguments!r})\nprint('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.rpartition("LOADED ")[2].split()}
    assert "polygraft" in loaded
    assert loaded & HEAVY == set()


def test_a_good_suite_is_told_in_short(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", suite]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "suite.yaml: the suite 'toys' has no fault."
    assert "  train     2,000 steps of 1,024 rows in 2 shards, adamw lr 0.001\n" in out
    assert err == ""


def test_a_good_suite_is_one_object(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", suite, "--json", "--set", "seed=3"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == "suite.yaml"
    assert told["suite"]["seed"] == 3
    assert len(told["digest"]) == 64


def test_faults_are_lines_on_stderr_and_a_count(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", suite, "--set", "sed=3", "--set", "train.steps=0"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "--set train.steps=0: train.steps: takes a number of at least 1, not 0."
    assert err.splitlines()[2:] == ["2 faults; nothing was started."]


def test_one_fault_is_one(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "nowhere.yaml"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "1 fault; nothing was started."


def test_faults_are_one_object_with_json(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", suite, "--set", "train.steps=0", "--json"]) == 2
    out, err = capsys.readouterr()
    where, what = "--set train.steps=0", "train.steps: takes a number of at least 1, not 0."
    assert json.loads(out) == {"error": [{"where": where, "what": what}], "exit_code": 2}
    assert err.startswith(f"{where}: {what}\n")


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (UserError([Fault("f:3", "a"), Fault("", "b")]), 2, "f:3: a\nb\n2 faults; nothing was started.\n"),
        (RunFailed("step 7: the loss is NaN"), 1, "step 7: the loss is NaN\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted.\n"),
        (click.UsageError("no"), 2, "no\n`polygraft list --help` shows how.\n"),
        (click.exceptions.Exit(143), 143, ""),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_has_its_exit_code(
    monkeypatch, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int, told: str
) -> None:
    @click.command()
    def failing() -> None:
        raise raised

    monkeypatch.setattr(Commands, "get_command", lambda *_: failing)
    assert run(["list"]) == code
    assert capsys.readouterr() == ("", told)
    with pytest.raises(SystemExit) as left:
        main(["list"])
    assert left.value.code == code


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["chekc"], "no command is called 'chekc'. Did you mean 'check'? There are "),
        (["check"], "Missing argument 'SUITE'.\n`polygraft check --help` shows how.\n"),
        (
            ["list", "balancer_s"],
            "no room is called 'balancer_s'. Did you mean 'balancers'? There are cleaning, encoders, ",
        ),
    ],
)
def test_a_wrong_usage_says_the_mend(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.startswith(told)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"polygraft {__version__}\n"


def test_a_command_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cancel_all.py").write_text('"""Cancel everything."""\nraise RuntimeError\ncommand = 1\n')
    (tmp_path / "drawing.py").write_text('"""No command."""\n')
    monkeypatch.setattr(main_module, "__file__", str(tmp_path / "main.py"))
    assert run(["--help"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["cancel-all", "Cancel", "everything."]


def test_every_command_says_what_it_does() -> None:
    context = click.Context(cli)
    assert cli.get_command(context, "nonsense") is None
    assert {"check", "list", "schema", "completion"} <= set(cli.list_commands(context))
    for name in ("check", "list", "schema", "completion"):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_POLYGRAFT_COMPLETE" in capsys.readouterr().out


def test_completing_a_command_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    found = [each.value for each in cli.shell_complete(click.Context(cli), "c")]
    assert "check" in found
    assert "list" not in found


@pytest.mark.parametrize("room", ["balancers", "balancer", "balancing"])
def test_a_room_is_known_by_its_plural_its_singular_and_its_folder(
    room: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", room]) == 0
    out = capsys.readouterr().out
    assert (
        "pcgrad: Take from each task's gradient what points against another task's; then sum.\n  needs: gramian; modes: "
        in out
    )


def test_rooms_are_listed_with_their_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["room", "number", "plugins"]
    assert any(line.split()[0] == "trunks" and "mlp" in line for line in lines)


def test_a_list_is_one_object_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "trunks", "--json"]) == 0
    (mlp,) = [each for each in json.loads(capsys.readouterr().out)["trunks"] if each["name"] == "mlp"]
    assert mlp["settings"][0] == {
        "name": "widths",
        "takes": "a list, each item a whole number >= 1",
        "required": False,
        "default": [256, 128],
        "doc": mlp["settings"][0]["doc"],
    }
    assert mlp["absent"] == []


def test_plugins_beside_a_suite_are_listed_and_broken_ones_named(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "plugins" / "models" / "trunks"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text('"""Mine, 2026."""\nclass Mine:\n    """My own."""\n    extra = "no-such"\n')
    (folder / "bad.py").write_text("class Bad(:\n")
    assert run(["list", "trunks", "--suite", suite]) == 0
    out, err = capsys.readouterr()
    assert (
        "mine: My own.\n  extra: no-such\n  not installed: no-such; pip install 'polygraft[no-such]'\n  Mine, 2026."
        in out
    )
    assert err == "plugins/models/trunks/bad.py:1: this is not Python: invalid syntax.\n"


def test_the_schema_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "A polygraft suite"


def test_a_checked_suite_can_be_kept(suite: str, tmp_path: Path) -> None:
    (tmp_path / "kept.yaml").write_text(as_yaml(load(suite)))
    assert run(["check", "kept.yaml"]) == 0
