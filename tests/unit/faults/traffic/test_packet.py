from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.faults.traffic.packet import Header, flipped, header_of, matches
from cleanroom.faults.traffic.shape import Match


def packet(protocol: int = 6, *, fragment: int = 0, options: int = 0, body: bytes = b"\x1f\x90\xc3\x50data") -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45 + options, 0, 0, 0, fragment, 64, protocol, 0)
    return head + socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2") + bytes(4 * options) + body


@pytest.mark.parametrize("options", [0, 3])
@pytest.mark.parametrize(("protocol", "ports"), [(6, (8080, 50000)), (17, (8080, 50000)), (1, (0, 0))])
def test_a_header_is_read(protocol, ports, options):
    assert header_of(packet(protocol, options=options)) == Header(protocol, "10.0.0.1", "10.0.0.2", ports)


def test_a_later_fragment_and_a_stump_have_no_ports():
    assert header_of(packet(fragment=1)) == Header(6, "10.0.0.1", "10.0.0.2")
    assert header_of(packet(body=b"\x1f")) == Header(6, "10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize("data", [b"", b"E" * 19, b"\x60" + bytes(60)])
def test_what_is_no_ipv4_packet_has_no_header(data):
    assert header_of(data) is None


@pytest.mark.parametrize(
    ("match", "way", "holds"),
    [
        (Match(direction="egress"), "egress", True),
        (Match(direction="egress"), "ingress", False),
        (Match(direction="both"), "ingress", True),
        (Match(direction="egress", peers=("10.0.0.2",)), "egress", True),
        (Match(direction="egress", peers=("10.0.0.1",)), "egress", False),
        (Match(direction="ingress", peers=("10.0.0.1",)), "ingress", True),
        (Match(direction="egress", protocol="tcp"), "egress", True),
        (Match(direction="egress", protocol="udp"), "egress", False),
        (Match(direction="egress", ports=(8080,)), "egress", True),
        (Match(direction="egress", ports=(1, 50000)), "egress", True),
        (Match(direction="egress", ports=(1, 2)), "egress", False),
    ],
)
def test_a_packet_is_struck_when_all_that_is_asked_for_holds(match, way, holds):
    assert matches(match, way, Header(6, "10.0.0.1", "10.0.0.2", (8080, 50000))) is holds


@given(st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=200), st.integers(0, 5))
def test_exactly_one_bit_behind_the_header_is_changed(choice, body, options):
    before = packet(options=options, body=body)
    after = flipped(before, choice)
    start = 20 + 4 * options
    assert after[:start] == before[:start]
    assert sum((a ^ b).bit_count() for a, b in zip(before, after, strict=True)) == 1


def test_a_packet_without_a_body_stays_as_it_is():
    assert flipped(packet(body=b""), 5) == packet(body=b"")
