"""Which Ray a run uses: who said so, and whether anybody answers there."""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass

from polygraft.core.errors import UserError, fault

# A gRPC server greets with a SETTINGS frame, type 4, as soon as the client has sent this (RFC 9113, section 3.4).
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4


@dataclass(frozen=True)
class Address:
    """`host:port` of a cluster, `auto` for the one on this machine, or None: a Ray of our own. source: who said so."""

    value: str | None
    source: str

    @property
    def local(self) -> bool:
        """Whether a Ray of our own is started."""
        return self.value is None


def choose(flag: str | None) -> Address:
    """The flag, else RAY_ADDRESS, else a Ray of our own, which `local` also asks for."""
    for value, source in ((flag, "--address"), (os.environ.get("RAY_ADDRESS"), "RAY_ADDRESS")):
        if value:
            return Address(None if value == "local" else value, source)
    return Address(None, "default")


def probe(address: Address, timeout_s: float = 10.0) -> None:
    """Raise UserError when nobody, or nobody who speaks gRPC, answers at the address within `timeout_s`.

    ray.init waits for minutes at such an address, and ends the process in the end.
    """
    if address.value is None or address.value == "auto":
        return
    host, port = _parts(address)
    deadline = time.monotonic() + timeout_s
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            if os.environ.get("RAY_USE_TLS") == "1":
                return  # it waits for a handshake first, which is Ray's to make
            connection.sendall(_GREETING)
            greeting = b""
            while len(greeting) < 4:
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                part = connection.recv(9)
                if not part:
                    raise ConnectionError("the connection was closed")
                greeting += part
    except OSError as error:
        raise unanswered(address, error.strerror or str(error)) from None
    if greeting[3] != _SETTINGS:
        raise unanswered(address, "what answers there is no Ray")


def _parts(address: Address) -> tuple[str, int]:
    assert address.value is not None
    found = re.fullmatch(r"(?:ray://)?\[?(?P<host>[^\s/]+?)\]?:(?P<port>\d{1,5})", address.value)
    if not found or int(found["port"]) > 65535:
        raise fault(
            f"'{address.value}' is no address of a Ray cluster. Give HOST:PORT, as `ray start --head` prints it, "
            "`auto` for the one on this machine, or `local`.",
            address.source,
        )
    return found["host"], int(found["port"])


def unanswered(address: Address, why: str) -> UserError:
    """The error for a Ray that cannot be reached."""
    return fault(
        f"no Ray answers at '{address.value}': {why}. Check the address and that the cluster is up (`ray status`), "
        "or leave it out to use this machine.",
        address.source,
    )
