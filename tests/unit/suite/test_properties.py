"""Properties: any value, any text, any bytes, and any suite written and read back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polygraft.core.errors import UserError
from polygraft.suite.identity import as_yaml, differing
from polygraft.suite.load import load, read
from polygraft.suite.origin import Origin
from polygraft.suite.schema import resolved
from polygraft.suite.text import read_text, read_value

LEAST = {
    "suite": "least",
    "tasks": {"a": {"data": "t", "target": "y", "objective": "regression"}},
    "train": {"steps": 9},
}

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")))
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcyn01 :#-", min_size=1), inner, max_size=3),
    max_leaves=8,
)


def outcome(work: Callable[[], Any], refusal: type[Exception]) -> Any:
    """What the work gives, or its refusal; anything else that it raises ends the test."""
    try:
        return work()
    except refusal as error:
        return error


def is_plain(value: object) -> bool:
    """Whether a value is made of what JSON has, and nothing that a YAML tag could bring in."""
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


@given(VALUES, st.booleans())
def test_set_reads_any_json_value_as_it_is(value: object, escaped: bool) -> None:
    assert read_value(json.dumps(value, ensure_ascii=escaped)) == value


def test_half_of_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match=r"holds half of a character. Write the character itself"):
        read_value(r'"\ud840"')


@given(st.text(max_size=40))
def test_set_gives_a_plain_value_or_says_what_is_wrong(text: str) -> None:
    found = outcome(lambda: read_value(text), ValueError)
    assert str(found).strip() if isinstance(found, ValueError) else is_plain(found)


WRITTEN = st.dictionaries(st.text("abcyn01", min_size=1), VALUES, min_size=1, max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode()
)
"""Suites' bytes; random ones alone are hardly ever a mapping."""


@given(st.binary(max_size=200) | WRITTEN | st.builds(lambda raw, more: raw[:-1] + more, WRITTEN, st.binary(max_size=9)))
def test_no_bytes_whatever_end_in_anything_but_a_fault(raw: bytes) -> None:
    found = outcome(lambda: read_text(raw, "f"), UserError)
    if isinstance(found, UserError):
        assert found.faults
        assert all(each.where.split(":")[0] == "f" and each.what for each in found.faults)
        return
    value, places = found
    assert is_plain(value)
    assert all(re.fullmatch(r"f:\d+", place) for place in places.values())


AWKWARD = st.text("?:-#{}[]&*!|>'\"%@`,0aZ ~\\=<", min_size=1) | st.text(st.characters(codec="utf-8"), min_size=1)
SUITES = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**62),
        "storage": st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1),
        "balancer": st.sampled_from(
            ["equal", {"name": "equal", "rank": "full"}, {"name": "equal", "agreement_every": 0}]
        ),
        "workers": st.integers(1, 8)
        | st.builds(lambda a, b: {"min": min(a, b), "max": max(a, b)}, st.integers(1, 8), st.integers(1, 8)),
        "train": st.builds(
            lambda steps, lr, decay, warm: {
                "steps": steps,
                "optimizer": {"lr": lr, "weight_decay": decay},
                "schedule": {"name": "cosine", "warmup": warm},
            },
            st.integers(1, 10**9),
            st.floats(1e-300, 1e300),
            st.floats(0, 1),
            st.integers(0, 10**6),
        ),
        "search": st.just({"seed": {"choice": [1, "yes", None, 1e-7]}}),
    },
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(sections=SUITES, column=AWKWARD)
def test_what_is_written_is_read_back_as_the_same_suite(tmp_path_factory, sections: dict, column: str) -> None:
    tables = {
        "t": {
            "source": "a.csv",
            "columns": {column: "category"},
            "drop": [column, "yes", "1e3", "null", "2020-01-01", "0x10"],
        }
    }
    suite = read({**LEAST, "data": tables, **sections}, Origin())
    file = tmp_path_factory.mktemp("round") / "suite.yaml"
    file.write_text(as_yaml(suite), encoding="utf-8")
    again = load(file)
    assert again == suite
    assert differing(again, suite) == []
    assert read(resolved(suite), Origin()) == suite
    assert as_yaml(again) == as_yaml(suite)
