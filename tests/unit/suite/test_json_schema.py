"""The JSON Schema says what the loader takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from polygraft.suite.json_schema import json_schema
from polygraft.suite.load import load
from polygraft.suite.schema import resolved
from polygraft.suite.text import read_text


@pytest.fixture
def editor(write) -> Draft202012Validator:
    schema = json_schema(Path())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def faults(editor: Draft202012Validator, content: Any) -> list[str]:
    return [".".join(map(str, error.absolute_path)) for error in editor.iter_errors(content)]


def test_a_good_suite_has_no_fault_as_written_and_as_resolved(editor: Draft202012Validator, write, good: str) -> None:
    text = good + "workers: 3\nsharing: hard\nsearch: {balancer.c: {uniform: [0, 1]}}\n"
    assert faults(editor, read_text(text.encode(), "f")[0]) == []
    assert faults(editor, resolved(load(write(text)))) == []


@pytest.mark.parametrize(
    ("found", "instead", "path"),
    [
        ("seed: 7", "sed: 7", ""),
        ("name: toy", "name: toi", "balancer"),
        ("c: 0.3", "c: -1", "balancer"),
        ("c: 0.3", "cc: 1", "balancer"),
        ("c: 0.3", "rank: 0", "balancer"),
        ("loss: mse", "loss: msee", "tasks.delay.objective"),
        ("[missing, {", "[misssing, {", "data.flights.clean.0"),
        ("steps: 2000", "steps: 0", "train.steps"),
        ("by: random", "by: rndom", "data.flights.split.by"),
        ("objective: classification", "head: dense", "tasks.late"),
    ],
)
def test_a_fault_is_seen_by_an_editor(
    editor: Draft202012Validator, good: str, found: str, instead: str, path: str
) -> None:
    assert path in faults(editor, read_text(good.replace(found, instead).encode(), "f")[0])


def test_settings_carry_their_words_and_defaults(write) -> None:
    schema = json_schema()
    (mlp,) = [
        each
        for each in schema["$defs"]["models.trunks"]["anyOf"]
        if each.get("properties", {}).get("name") == {"const": "mlp"}
    ]
    assert mlp["properties"]["widths"]["default"] == [256, 128]
    assert mlp["properties"]["widths"]["description"]
    assert "x-room" not in str(schema)
