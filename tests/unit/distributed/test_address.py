"""Which Ray is meant, and whether anybody answers there."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from polygraft.core.errors import UserError
from polygraft.distributed.address import Address, choose, probe


@pytest.mark.parametrize(
    ("flag", "environment", "expected"),
    [
        (None, None, Address(None, "default")),
        (None, "", Address(None, "default")),
        (None, "10.0.0.1:6379", Address("10.0.0.1:6379", "RAY_ADDRESS")),
        ("auto", "10.0.0.1:6379", Address("auto", "--address")),
        ("local", "10.0.0.1:6379", Address(None, "--address")),
        (None, "local", Address(None, "RAY_ADDRESS")),
    ],
)
def test_the_flag_wins_over_the_environment(monkeypatch, flag, environment, expected):
    if environment is not None:
        monkeypatch.setenv("RAY_ADDRESS", environment)
    assert choose(flag) == expected


@contextmanager
def server(answer: bytes | None, heard: list[bytes] | None = None) -> Iterator[str]:
    """A server that takes one connection and answers so, or closes it (b""), or keeps silent (None). heard: gets what it was told."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections = []

    def serve() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connections.append(connection)
        told = connection.recv(64)
        if heard is not None:
            heard.append(told)
        if answer is not None:
            connection.sendall(answer)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    thread.join()
    for connection in connections:
        connection.close()


def refusal(value: str) -> str:
    with pytest.raises(UserError) as caught:
        probe(Address(value, "--address"), timeout_s=0.5)
    return str(caught.value)


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 400 Bad Request\r\n"])
def test_what_is_no_ray_is_refused_in_time(answer):
    began = time.monotonic()
    with server(answer) as address:
        told = refusal(address)
    assert told.startswith(f"--address: no Ray answers at '{address}': ")
    assert "Check the address and that the cluster is up (`ray status`), or leave it out" in told
    assert time.monotonic() - began < 3


def test_a_closed_port_is_refused_at_once():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert refusal(f"127.0.0.1:{port}").startswith(
        f"--address: no Ray answers at '127.0.0.1:{port}': Connection refused."
    )


@pytest.mark.parametrize("value", ["head", "head:port", "http://head:8265", "head:99999", "a b:1"])
def test_what_is_no_address_is_refused(value):
    told = refusal(value)
    assert told.startswith(f"--address: '{value}' is no address of a Ray cluster. Give HOST:PORT")


def test_a_grpc_server_is_greeted_and_passes():
    heard: list[bytes] = []
    with server(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), heard) as address:
        probe(Address(address, "--address"), timeout_s=2)
    assert [told[:24] for told in heard] == [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]


@pytest.mark.parametrize(("value", "knocks"), [(None, 0), ("auto", 0), ("127.0.0.1:1", 1)])
def test_only_an_address_is_knocked_at(monkeypatch, value, knocks):
    knocked: list[tuple[str, int]] = []

    def knock(place: tuple[str, int], **_: float) -> None:
        knocked.append(place)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", knock)
    with pytest.raises(UserError) if knocks else nullcontext():
        probe(Address(value, "--address"))
    assert len(knocked) == knocks
