"""As much of an IPv4 packet as a fault must know: whose it is, and which bit of it to change."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from cleanroom.faults.traffic.shape import Match, Way

TCP, UDP = 6, 17
_NUMBERS = {"tcp": TCP, "udp": UDP}
_SHORTEST = 20
_OFFSET = 0x1FFF


class Header(NamedTuple):
    """What rules match on; ports are 0 where the packet has none."""

    protocol: int
    source: str
    destination: str
    ports: tuple[int, int] = (0, 0)


def header_of(packet: bytes) -> Header | None:
    """Return the header of an IPv4 packet; None for anything else."""
    if len(packet) < _SHORTEST or packet[0] >> 4 != 4:  # noqa: PLR2004 - the version
        return None
    length = (packet[0] & 15) * 4
    ports = (0, 0)
    (fragment,) = struct.unpack_from(">H", packet, 6)
    if packet[9] in (TCP, UDP) and not fragment & _OFFSET and len(packet) >= length + 4:
        ports = struct.unpack_from(">HH", packet, length)
    return Header(packet[9], socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), ports)


def matches(match: Match, way: Way, header: Header) -> bool:
    """Return whether a packet that goes this way is one of those that are struck."""
    if way not in match.ways:
        return False
    if match.peers and (header.destination if way == "egress" else header.source) not in match.peers:
        return False
    if match.protocol != "any" and header.protocol != _NUMBERS[match.protocol]:
        return False
    return not match.ports or header.ports[0] in match.ports or header.ports[1] in match.ports


def flipped(packet: bytes, choice: int) -> bytes:
    """Return the packet with one bit behind its IP header changed; its checksums stay what they were."""
    start = (packet[0] & 15) * 4
    bits = (len(packet) - start) * 8
    if bits <= 0:
        return packet
    place = start * 8 + choice % bits
    changed = bytearray(packet)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)
