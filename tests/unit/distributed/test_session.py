"""A Ray of our own: closed to others without a file in the home folder, its sockets short enough."""

from __future__ import annotations

import os
import shutil

import pytest

from polygraft.core.errors import UserError
from polygraft.distributed import session
from polygraft.distributed.session import own_token, temporary_folder


def test_a_ray_of_our_own_gets_a_token_of_its_own():
    one, other = own_token({}), own_token({})
    assert one["RAY_AUTH_MODE"] == "token"
    assert len(one["RAY_AUTH_TOKEN"]) == 64
    assert one["RAY_AUTH_TOKEN"] != other["RAY_AUTH_TOKEN"]


def test_what_the_person_has_chosen_stays():
    assert own_token({"RAY_AUTH_MODE": "disabled"}) == {}
    assert own_token({"RAY_AUTH_TOKEN": "mine"}) == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "mine"}


def test_a_temporary_place_with_a_long_name_is_passed_over(monkeypatch, tmp_path):
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    folder = temporary_folder()
    try:
        assert long not in folder.parents
        socket = folder / "session_2026-11-23_22-43-28_514930_4194304" / "sockets" / "plasma_store.sock_1"
        assert len(os.fsencode(socket)) <= 107
    finally:
        shutil.rmtree(folder)


def test_no_place_at_all_is_said(monkeypatch):
    monkeypatch.setattr(session.os, "access", lambda *_: False)
    with pytest.raises(UserError, match=r"no temporary folder is writable and short enough .* Set RAY_TMPDIR"):
        temporary_folder()
