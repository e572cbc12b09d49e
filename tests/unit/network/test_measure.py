from __future__ import annotations

import socket

import pytest

from cleanroom.network.measure import tcp_rtt
from cleanroom.network.ports import Rtt
from cleanroom.quantity import Duration

SECOND = Duration(10**9)


def test_every_handshake_with_a_listener_is_a_sample():
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = tcp_rtt(None, "127.0.0.1", server.getsockname()[1], 5, SECOND)
    assert len(found.samples) == 5
    assert found.lost == 0
    assert found.median_ns > 0


def test_a_refusal_is_a_round_trip_too():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert len(tcp_rtt(None, "127.0.0.1", port, 2, SECOND).samples) == 2


def test_a_handshake_without_an_answer_is_lost():
    # A full backlog does not answer: the kernel drops the handshake.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.settimeout(0)
            sock.connect_ex(("127.0.0.1", port))
        assert tcp_rtt(None, "127.0.0.1", port, 2, Duration(20 * 10**6)).lost == 2
        for sock in waiting:
            sock.close()


def test_the_median_needs_a_sample():
    with pytest.raises(IndexError):
        _ = Rtt(samples=(), lost=1, timeout=SECOND).median_ns
