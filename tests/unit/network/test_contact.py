from __future__ import annotations

import errno
import os
import socket

import pytest

from cleanroom.errors import CapabilityError, NetworkError
from cleanroom.network.contact import _outcome, contact, listeners
from cleanroom.network.handle import Handle
from cleanroom.quantity import Duration

SOON = Duration(2 * 10**8)


def bound(kind: socket.SocketKind, address: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.bind((address, 0))
    return sock


def test_a_listener_is_open_and_one_that_is_gone_refuses():
    with bound(socket.SOCK_STREAM) as server:
        server.listen()
        port = server.getsockname()[1]
        assert contact("tcp", "127.0.0.1", port, SOON) == "open"
    assert contact("tcp", "127.0.0.1", port, SOON) == "refused"


def test_a_datagram_without_an_answer_is_silence_and_without_a_socket_a_refusal():
    with bound(socket.SOCK_DGRAM) as server:
        port = server.getsockname()[1]
        assert contact("udp", "127.0.0.1", port, SOON) == "silent"
    assert contact("udp", "127.0.0.1", port, SOON) == "refused"


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_no_way_is_not_silence(number):
    assert _outcome(OSError(number, "x")) == "unreachable"


def test_what_cannot_be_sent_is_no_answer():
    with pytest.raises(NetworkError, match="Operation not permitted"):
        _outcome(PermissionError(errno.EPERM, "Operation not permitted"))


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_listeners_are_those_that_others_reach(kind, protocol):
    with bound(kind, "0.0.0.0") as far, bound(kind) as near:
        for sock in (far, near) if protocol == "tcp" else ():
            sock.listen()
        found = listeners(os.getpid(), protocol)
        assert far.getsockname()[1] in found
        assert near.getsockname()[1] not in found
    assert far.fileno() == -1


def test_nobody_listens_in_a_process_that_is_gone():
    assert listeners(2**22 + 1, "tcp") == ()


def test_our_own_network_is_never_held():
    with pytest.raises(CapabilityError, match="shares the network"):
        Handle("/proc/self/ns/net")
    with pytest.raises(NetworkError, match="cannot be opened"):
        Handle("/proc/self/ns/nothing")
