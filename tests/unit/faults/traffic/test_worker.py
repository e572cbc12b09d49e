from __future__ import annotations

import os
import threading

import pytest

from cleanroom.faults.traffic import worker
from cleanroom.faults.traffic.draw import DelayDraws
from cleanroom.faults.traffic.netlink import Packet
from cleanroom.faults.traffic.shape import Delay
from cleanroom.quantity import Duration


class Packets:
    """A queue of packets that come in batches; a pipe makes it something to wait on."""

    def __init__(self, *batches: list[int | Packet]) -> None:
        self.batches = list(batches)
        self.accepted: list[int] = []
        self.ended: list[int] = []
        self._read, self._write = os.pipe()
        if batches:
            os.write(self._write, b".")

    def fileno(self) -> int:
        return self._read

    def receive(self) -> list[Packet]:
        found = [Packet(n, b"") if isinstance(n, int) else n for n in (self.batches.pop(0) if self.batches else [])]
        if not self.batches:
            os.set_blocking(self._read, False)
            try:
                os.read(self._read, 1)
            except BlockingIOError:
                return found
        return found

    def drop(self, packet: int) -> None:
        self.ended.append(packet)

    def accept(self, packet: int) -> None:
        self.accepted.append(packet)

    def dropped(self) -> int:
        return 3


def draws(ns: int, jitter: int = 0) -> DelayDraws:
    return DelayDraws(Delay(delay=Duration(ns), jitter=Duration(jitter)), "ab" * 32)


@pytest.fixture
def stdin(monkeypatch):
    """A standard input that the test can end."""
    read, write = os.pipe()
    with open(read) as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(worker.sys, "stdin", stream)
        yield write


def test_packets_are_let_go_when_their_time_has_come(monkeypatch):
    now = [0]
    monkeypatch.setattr(worker.time, "monotonic_ns", lambda: now[0])
    queue = Packets([1, 2])
    holder = worker.Holder(queue, draws(100))
    assert holder.wait() is None
    assert holder.take() == 2
    now[0] = 99
    holder.release_due()
    assert queue.accepted == []
    assert holder.wait() == pytest.approx(1e-9)
    now[0] = 100
    holder.release_due()
    assert queue.accepted == [1, 2]
    assert holder.figures() == {"packets": 2, "delay_total_ns": 200, "delay_max_ns": 100, "dropped": 3}


def test_jitter_may_let_a_later_packet_overtake_an_earlier_one(monkeypatch):
    now = [0]
    monkeypatch.setattr(worker.time, "monotonic_ns", lambda: now[0])
    queue = Packets(list(range(50)))
    holder = worker.Holder(queue, draws(1000, 900))
    holder.take()
    now[0] = 2000
    holder.release_due()
    expected = draws(1000, 900)
    order = sorted(range(50), key=lambda _: expected.next())
    assert queue.accepted == order != list(range(50))


def test_the_end_of_input_lets_everything_go_at_once_even_what_was_not_yet_read(stdin):
    queue = Packets([1, 2], [3], [4])
    os.close(stdin)
    figures = worker.serve(queue, draws(10**15))
    assert queue.accepted == [1, 2, 3, 4]
    assert figures["released_early"] == 4
    assert figures["packets"] == 4


def test_held_packets_leave_while_input_stays_open(stdin):
    queue = Packets([7])
    found: list[dict[str, int]] = []
    serving = threading.Thread(target=lambda: found.append(worker.serve(queue, draws(10**6))))
    serving.start()
    gone = threading.Event()
    accept = queue.accept

    def seen(packet: int) -> None:
        accept(packet)
        gone.set()

    queue.accept = seen  # type: ignore[method-assign]
    assert gone.wait(10) or queue.accepted == [7]
    os.close(stdin)
    serving.join(10)
    assert found[0]["released_early"] == 0


TCP = b"E" + bytes(8) + b"\x06" + bytes(30)
UDP = b"E" + bytes(8) + b"\x11" + bytes(30)


class Outbox:
    def __init__(self, *, takes: bool = True) -> None:
        self.takes = takes
        self.sent: list[bytes] = []

    def send(self, packet: bytes) -> bool:
        self.sent.append(packet)
        return self.takes


def test_a_sender_takes_tcp_from_the_kernel_and_leaves_the_rest_to_it(monkeypatch):
    now = [0]
    monkeypatch.setattr(worker.time, "monotonic_ns", lambda: now[0])
    queue, outbox = Packets([Packet(1, TCP), Packet(2, UDP), Packet(3, b"")]), Outbox()
    holder = worker.Holder(queue, draws(100), outbox)
    holder.take()
    assert (queue.ended, queue.accepted, outbox.sent) == ([1], [], [])
    now[0] = 100
    holder.release_due()
    assert (queue.ended, queue.accepted, outbox.sent) == ([1], [2, 3], [TCP])
    assert holder.figures()["dropped"] == 3


def test_a_packet_that_could_not_be_sent_anew_is_counted_as_dropped():
    holder = worker.Holder(Packets([Packet(1, TCP)]), draws(0), Outbox(takes=False))
    holder.take()
    assert holder.release_all() == 1
    assert holder.figures()["dropped"] == 4


def test_no_more_is_taken_from_the_kernel_than_a_queue_holds(monkeypatch):
    monkeypatch.setattr(worker, "QUEUE_LENGTH", 1)
    queue = Packets([Packet(1, TCP), Packet(2, TCP)])
    worker.Holder(queue, draws(10**15), Outbox()).take()
    assert queue.ended == [1]
