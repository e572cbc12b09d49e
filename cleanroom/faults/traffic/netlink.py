"""The few messages of the kernel's packet queue (NFQUEUE) that the worker needs: bind, copy mode, packet, verdict.

Wire format: linux/netfilter/nfnetlink_queue.h; numbers are big-endian inside attributes, native in the netlink header.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NETLINK_NETFILTER = 12
_SUBSYSTEM = 3 << 8
_PACKET, _VERDICT, _CONFIG = _SUBSYSTEM, _SUBSYSTEM | 1, _SUBSYSTEM | 2
_REQUEST, _ACK = 1, 4
_NLMSG_ERROR = 2
_CMD_BIND = 1
_COPY_PACKET = 2
_MAX_COPY = 0xFFFF
_DROP, _ACCEPT = 0, 1
_ATTRIBUTE_PACKET, _ATTRIBUTE_PAYLOAD = 1, 10
_ID = struct.Struct(">I")
_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct(">BBH")
_ATTRIBUTE = 4  # bytes of an attribute's own header
_RECEIVE_BUFFER = 1 << 24
# Packets that due ones may have to wait for: a flood must not keep the held packets held.
_BATCH = 64


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _message(kind: int, flags: int, queue: int, attributes: bytes) -> bytes:
    body = _FAMILY.pack(socket.AF_UNSPEC, 0, queue) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


class Packet(NamedTuple):
    """A packet that waits for its verdict, and a copy of it."""

    id: int
    payload: bytes


class PacketQueue:
    """One bound queue in the network namespace of the calling thread; raises `OSError`.

    Each packet comes whole, checksum and all, and large segments as the packets that a wire would carry.
    """

    def __init__(self, number: int, length: int) -> None:
        self.number = number
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), _RECEIVE_BUFFER)
        self._socket.bind((0, 0))
        self._configure(_attribute(1, struct.pack(">BBH", _CMD_BIND, 0, 0)))
        self._configure(_attribute(2, struct.pack(">IB", _MAX_COPY, _COPY_PACKET)))
        self._configure(_attribute(3, struct.pack(">I", length)))
        self._socket.settimeout(0)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def _configure(self, attributes: bytes) -> None:
        self._socket.send(_message(_CONFIG, _REQUEST | _ACK, self.number, attributes))
        answer = self._socket.recv(65536)
        _, kind, *_ = _HEADER.unpack_from(answer)
        (code,) = struct.unpack_from("=i", answer, _HEADER.size)
        if kind == _NLMSG_ERROR and code:
            raise OSError(-code, f"the kernel refused packet queue {self.number}: {os.strerror(-code)}")

    def receive(self) -> Iterator[Packet]:
        """Yield packets that wait, at most 64 of them; nothing when none does."""
        for _ in range(_BATCH):
            try:
                data = self._socket.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError as err:
                # The kernel dropped some: its own counters tell how many (`dropped`), the held packets are untouched.
                if err.errno == errno.ENOBUFS:
                    continue
                raise
            yield from _packets(data)

    def accept(self, packet: int, payload: bytes = b"") -> None:
        """Let the packet go its way, with another content where one is given."""
        self._decide(packet, _ACCEPT, payload)

    def drop(self, packet: int) -> None:
        """Let the packet end here."""
        self._decide(packet, _DROP)

    def _decide(self, packet: int, verdict: int, payload: bytes = b"") -> None:
        attribute = _attribute(2, struct.pack(">II", verdict, packet))
        if payload:
            attribute += _attribute(_ATTRIBUTE_PAYLOAD, payload)
        self._socket.send(_message(_VERDICT, _REQUEST, self.number, attribute))

    def dropped(self) -> int:
        """Return how many packets the kernel dropped because the queue or its socket was full."""
        return _dropped(
            Path("/proc/thread-self/net/netfilter/nfnetlink_queue").read_text(encoding="ascii"), self.number
        )

    def close(self) -> None:
        """Give the queue back; packets that still wait are dropped by the kernel, so accept them first."""
        self._socket.close()


def _dropped(table: str, number: int) -> int:
    """Read columns 6 and 7 (queue dropped, user dropped) of the queue's line."""
    lines = (line.split() for line in table.splitlines())
    return sum(int(line[5]) + int(line[6]) for line in lines if line and int(line[0]) == number)


def _packets(data: bytes) -> Iterator[Packet]:
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        if kind == _PACKET:
            found = dict(_attributes(data[offset + _HEADER.size + _FAMILY.size : offset + length]))
            header = found.get(_ATTRIBUTE_PACKET, b"")
            if len(header) >= _ID.size:
                yield Packet(_ID.unpack_from(header)[0], found.get(_ATTRIBUTE_PAYLOAD, b""))
        offset += (length + 3) & ~3


def _attributes(attributes: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, offset)
        if length < _ATTRIBUTE or offset + length > len(attributes):
            return
        yield kind & 0x7FFF, attributes[offset + _ATTRIBUTE : offset + length]
        offset += (length + 3) & ~3
