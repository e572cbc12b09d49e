"""The TCP sockets of a network namespace, as its kernel lists them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"
_NOT_OPEN = frozenset({_LISTEN, "06", "07"})  # TIME_WAIT and CLOSE carry nothing any more
_FILES = ("tcp", "tcp6")
_V4_BYTES = 8
_MAPPED = "0000000000000000FFFF0000"


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A connection: both ends of it."""

    local: str
    local_port: int
    remote: str
    remote_port: int


@dataclass(frozen=True, slots=True)
class Sockets:
    """IPv4 connections, and the ports that something listens on."""

    open: frozenset[Pair]
    listening: frozenset[int]


def sockets_here() -> Sockets:
    """Return those of the calling thread's network namespace."""
    lines: list[str] = []
    for name in _FILES:
        file = Path("/proc/thread-self/net", name)
        if file.exists():  # a kernel without IPv6 has one of them
            lines += file.read_text(encoding="ascii").splitlines()[1:]
    return parse(lines)


def parse(lines: list[str]) -> Sockets:
    """Read lines of /proc/net/tcp and tcp6, without their headings."""
    pairs, listening = set(), set()
    for line in lines:
        _, local, remote, state = line.split()[:4]
        here, there = _end(local), _end(remote)
        if state == _LISTEN:
            listening.add(int(local.rpartition(":")[2], 16))
        elif state not in _NOT_OPEN and here is not None and there is not None:
            pairs.add(Pair(*here, *there))
    return Sockets(frozenset(pairs), frozenset(listening))


def _end(text: str) -> tuple[str, int] | None:
    address, _, port = text.rpartition(":")
    if len(address) > _V4_BYTES:
        if not address.startswith(_MAPPED):
            return None
        address = address[len(_MAPPED) :]
    # The kernel prints the address as a number of its own byte order.
    return socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)
