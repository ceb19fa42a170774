"""`polygraft affinity` on two Ray workers finds what one process finds, to the bit."""

from __future__ import annotations

import json

import pytest

import toy_suite
from polygraft.cli.main import run as polygraft
from polygraft.suite.identity import as_yaml
from waiting import until, worker_pids

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("ray_session")]


def test_two_workers_find_the_affinities_of_one_process(here, capsys):
    (here / "suite.yaml").write_text(as_yaml(toy_suite.toy(here)))
    found = []
    for workers in (1, 2):
        command = ["affinity", "suite.yaml", "--json", "--workers", str(workers)]
        assert polygraft([*command, "--set", f"storage=of-{workers}"]) == 0
        told = json.loads(capsys.readouterr().out)
        found.append({key: told[key] for key in ("run", "first_order", "ahead", "agreement", "groups", "measured")})
        journals = [*here.glob(f"of-{workers}/toy-affinity/{told['run']}/metrics.jsonl")]
        found[-1]["history"] = journals[0].read_bytes()
    assert found[0] == found[1]
    assert until(lambda: not worker_pids()), "an actor is left"
