"""Messages as a kernel sent them: a queue that was bound by hand, and the bytes that its socket gave."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from cleanroom.faults.traffic import netlink
from cleanroom.faults.traffic.netlink import Packet, PacketQueue, _dropped, _message, _packets

# Two UDP packets to an empty loopback port, as two messages of one queue.
FIRST = "300000000003000000000000000000000200004d0b0001000000000108000300080006000000000108000e0000000001"
SECOND = "300000000003000000000000000000000200004d0b0001000000000208000300080006000000000108000e0000000001"
# What the kernel answers to a verdict on a packet that it does not hold.
ERROR = "340000000200000000000000251c0000feffffff200000000103010000000000000000000000004d0c0002000000000100000063"
# What it answers to a second bind of the same queue.
BUSY = "300000000200000000000000cc82dd96ffffffff1c0000000203050000000000000000000000004d0800010001000000"
ACKNOWLEDGED = "240000000200000000000000cc82dd96000000001c0000000203050000000000000000000000004d"
ONE, TWO = Packet(1, b""), Packet(2, b"")
TABLE = "   77   7205     2 1     0     3     4        2  1\n   78   7205     0 1     0     0     0        0  1\n"


class Wire:
    """A netlink socket that answers what was recorded and keeps what was sent."""

    def __init__(self, answers: list[bytes | OSError]) -> None:
        self.answers = answers
        self.sent: list[bytes] = []

    def setsockopt(self, *_: object) -> None:
        """Take any option."""

    def bind(self, _: object) -> None:
        """Take any address."""

    def settimeout(self, _: object) -> None:
        """Take any timeout."""

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, _: int) -> bytes:
        if not self.answers:
            raise BlockingIOError
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


def opened(monkeypatch, *later: bytes | OSError) -> tuple[PacketQueue, Wire]:
    wire = Wire([bytes.fromhex(ACKNOWLEDGED)] * 3 + list(later))
    monkeypatch.setattr(netlink.socket, "socket", lambda *_: wire)
    return PacketQueue(77, 100), wire


def test_the_id_of_a_packet_is_read_from_the_kernels_message():
    assert list(_packets(bytes.fromhex(FIRST))) == [ONE]
    assert list(_packets(bytes.fromhex(FIRST + SECOND))) == [ONE, TWO]


def test_messages_that_are_no_packets_have_no_ids():
    assert list(_packets(bytes.fromhex(ERROR))) == []
    assert list(_packets(bytes.fromhex(ERROR + FIRST))) == [ONE]


@pytest.mark.parametrize("length", range(len(FIRST) // 2))
def test_a_message_that_is_cut_short_is_no_other_packet(length):
    assert list(_packets(bytes.fromhex(FIRST)[:length])) in ([], [ONE])


def test_lengths_that_lead_nowhere_end_the_reading():
    assert list(_packets(bytes(64))) == []
    attributes_of_no_length = bytes.fromhex(FIRST)[:20] + bytes(28)
    assert list(_packets(attributes_of_no_length)) == []


def test_a_queue_is_bound_with_its_length_and_asks_for_whole_packets_of_a_wires_size(monkeypatch):
    _, wire = opened(monkeypatch)
    assert all(message[:6] == struct.pack("=IH", len(message), 0x302) for message in wire.sent)
    assert all(message[16:20] == struct.pack(">BBH", socket.AF_UNSPEC, 0, 77) for message in wire.sent)
    assert [message[20:] for message in wire.sent] == [
        bytes.fromhex("0800010001000000"),  # bind
        bytes.fromhex("090002000000ffff" + "02000000"),  # copy mode: up to 65535 bytes of each packet
        bytes.fromhex("0800030000000064"),  # 100 packets
    ]


def test_the_copy_of_a_packet_comes_with_its_id():
    payload = bytes(range(45))
    attributes = bytes.fromhex(FIRST)[20:] + struct.pack("=HH", 4 + len(payload), 10) + payload + bytes(3)
    message = struct.pack("=IHHII", 20 + len(attributes), 0x300, 0, 0, 0) + bytes.fromhex("0200004d") + attributes
    assert list(_packets(message)) == [Packet(1, payload)]


def test_a_refused_bind_says_why(monkeypatch):
    wire = Wire([bytes.fromhex(BUSY)])
    monkeypatch.setattr(netlink.socket, "socket", lambda *_: wire)
    with pytest.raises(OSError, match="the kernel refused packet queue 77: Operation not permitted") as caught:
        PacketQueue(77, 100)
    assert caught.value.errno == errno.EPERM


def test_a_verdict_may_carry_another_content(monkeypatch):
    queue, wire = opened(monkeypatch)
    queue.accept(99, b"other")
    assert wire.sent[-1].endswith(struct.pack("=HH", 9, 10) + b"other" + bytes(3))


def test_a_verdict_accepts_the_packet(monkeypatch):
    queue, wire = opened(monkeypatch)
    queue.accept(99)
    # The kernel itself repeated this message when it had no such packet.
    sent = wire.sent[-1]
    assert sent[4:6] == struct.pack("=H", 0x301)
    assert sent[16:] == bytes.fromhex(ERROR)[36:]
    assert sent == _message(0x301, 1, 77, sent[20:])


def test_a_verdict_may_end_a_packet(monkeypatch):
    queue, wire = opened(monkeypatch)
    queue.drop(99)
    assert wire.sent[-1][20:] == bytes.fromhex("0c0002000000000000000063")


def test_a_full_socket_does_not_end_the_reading(monkeypatch):
    lost = OSError(errno.ENOBUFS, "no buffer space")
    queue, _ = opened(monkeypatch, bytes.fromhex(FIRST), lost, bytes.fromhex(SECOND))
    assert list(queue.receive()) == [ONE, TWO]
    assert list(queue.receive()) == []


def test_any_other_trouble_of_the_socket_is_told(monkeypatch):
    queue, _ = opened(monkeypatch, OSError(errno.EBADF, "bad"))
    with pytest.raises(OSError, match="bad"):
        list(queue.receive())


def test_a_flood_is_read_in_batches(monkeypatch):
    queue, _ = opened(monkeypatch, *[bytes.fromhex(FIRST)] * 100)
    assert len(list(queue.receive())) == 64
    assert len(list(queue.receive())) == 36


def test_what_the_kernel_dropped_is_the_queues_own_and_its_sockets():
    assert _dropped(TABLE, 77) == 7
    assert _dropped(TABLE, 78) == 0
    assert _dropped("", 77) == 0
