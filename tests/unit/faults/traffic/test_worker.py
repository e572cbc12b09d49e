from __future__ import annotations

import os
import socket
import struct
import threading
from multiprocessing import Pipe

import pytest

from cleanroom.faults.traffic import worker
from cleanroom.faults.traffic.netlink import Packet
from cleanroom.faults.traffic.shape import Corrupt, Delay, Duplicate, Effect, Every, Loss, Match, Shape
from cleanroom.quantity import Duration

STREAM = "ab" * 32
BOTH = Match(direction="both")


def packet(protocol: int = 6, port: int = 80, size: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0, 64, protocol, 0)
    ends = socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
    return head + ends + struct.pack(">HH", port, 5000) + bytes(20 + size)


TCP, UDP = packet(6), packet(17)


class Packets:
    """A queue of packets that come in batches; a pipe makes it something to wait on."""

    def __init__(self, *batches: list[Packet]) -> None:
        self.batches = list(batches)
        self.accepted: list[int] = []
        self.changed: list[bytes] = []
        self.ended: list[int] = []
        self._read, self._write = os.pipe()
        if batches:
            os.write(self._write, b".")

    def fileno(self) -> int:
        return self._read

    def receive(self) -> list[Packet]:
        found = self.batches.pop(0) if self.batches else []
        if not self.batches:
            os.set_blocking(self._read, False)
            try:
                os.read(self._read, 1)
            except BlockingIOError:
                return found
        return found

    def drop(self, packet: int) -> None:
        self.ended.append(packet)

    def accept(self, packet: int, payload: bytes = b"") -> None:
        self.accepted.append(packet)
        if payload:
            self.changed.append(payload)

    def dropped(self) -> int:
        return 3


class Outbox:
    def __init__(self, *, takes: bool = True) -> None:
        self.largest = 1500
        self.takes = takes
        self.sent: list[bytes] = []

    def send(self, packet: bytes) -> bool:
        self.sent.append(packet)
        return self.takes


@pytest.fixture
def now(monkeypatch) -> list[int]:
    made = [0]
    monkeypatch.setattr(worker.time, "monotonic_ns", lambda: made[0])
    return made


def shape(effect: Effect, match: Match = BOTH) -> Shape:
    return Shape(match=match, effect=effect, stream=STREAM)


def late(ns: int, jitter: int = 0) -> Delay:
    return Delay(delay=Duration(ns), jitter=Duration(jitter))


def holding(queue: Packets, *shapes: Shape, way: str = "ingress", outbox: Outbox | None = None) -> worker.Holder:
    holder = worker.Holder({way: queue}, outbox or Outbox())  # type: ignore[dict-item]
    holder.reshape(list(enumerate(shapes)))
    holder.take(way)  # type: ignore[arg-type]
    return holder


def packets(*contents: bytes) -> list[Packet]:
    return [Packet(number, content) for number, content in enumerate(contents, 1)]


def test_a_packet_leaves_when_its_time_has_passed_and_not_before(now):
    queue = Packets(packets(UDP, UDP))
    holder = holding(queue, shape(late(100)))
    now[0] = 99
    holder.release_due()
    assert queue.accepted == []
    assert holder.wait() == pytest.approx(1e-9)
    now[0] = 100
    holder.release_due()
    assert queue.accepted == [1, 2]
    found = holder.figures()[0]
    assert (found["packets"], found["bitten"], found["delay_total_ns"], found["delay_max_ns"]) == (2, 2, 200, 100)
    assert holder.wait() is None
    assert holder.dropped() == 3


def test_delays_of_two_shapes_add_up_and_one_that_ends_takes_only_its_own_away(now):
    queue = Packets(packets(UDP))
    holder = holding(queue, shape(late(100)), shape(late(1000)))
    now[0] = 300
    gone = holder.reshape([(0, shape(late(100)))])
    assert queue.accepted == [1]
    assert (gone[1]["released_early"], holder.figures()[0]["released_early"]) == (1, 0)


def test_a_shape_that_ends_leaves_the_others_their_delay(now):
    queue = Packets(packets(UDP))
    holder = holding(queue, shape(late(100)), shape(late(1000)))
    now[0] = 300
    holder.reshape([(1, shape(late(1000)))])
    assert queue.accepted == []
    assert holder.wait() == pytest.approx(700e-9)


def test_each_shape_has_its_own_packets_and_its_own_count():
    queue = Packets(packets(packet(port=80), packet(port=81), packet(17, port=80), b"\x60no ipv4"))
    holder = holding(
        queue, shape(Every(nth=2)), shape(Every(nth=1), Match(direction="both", protocol="tcp", ports=(80,)))
    )
    figures = holder.figures()
    assert (figures[0]["packets"], figures[0]["bitten"]) == (3, 1)
    assert (figures[1]["packets"], figures[1]["bitten"]) == (1, 1)
    assert (queue.accepted, queue.ended) == ([3, 4], [1, 2])


def test_what_goes_the_other_way_is_left_alone():
    queue = Packets(packets(TCP))
    holding(queue, shape(Loss(percent=100.0), Match(direction="egress")))
    assert queue.accepted == [1]


def test_a_duplicate_follows_its_original_and_a_changed_packet_is_changed():
    queue, outbox = Packets(packets(UDP)), Outbox()
    holding(queue, shape(Corrupt(percent=100.0)), shape(Duplicate(percent=100.0)), outbox=outbox)
    assert queue.accepted == [1]
    assert outbox.sent == queue.changed
    assert sum((a ^ b).bit_count() for a, b in zip(outbox.sent[0], UDP, strict=True)) == 1


def test_jitter_may_let_a_later_packet_overtake_an_earlier_one(now):
    queue = Packets(packets(*[UDP] * 50))
    holder = holding(queue, shape(late(1000, 900)))
    now[0] = 2000
    holder.release_due()
    assert sorted(queue.accepted) == list(range(1, 51)) != queue.accepted


def test_what_leaves_late_is_taken_from_the_kernel_and_what_comes_in_is_not(now):
    out, outbox = Packets(packets(TCP, UDP)), Outbox()
    holder = holding(out, shape(late(100)), way="egress", outbox=outbox)
    assert (out.ended, out.accepted, outbox.sent) == ([1, 2], [], [])
    now[0] = 100
    holder.release_due()
    assert outbox.sent == [TCP, UDP]
    back = Packets(packets(TCP))
    holding(back, shape(late(100)), way="ingress", outbox=outbox)
    assert back.ended == []


def test_what_is_not_held_is_never_taken_from_the_kernel():
    queue = Packets(packets(TCP, TCP))
    holding(queue, shape(Every(nth=2)), way="egress")
    assert (queue.accepted, queue.ended) == ([1], [2])


def test_a_packet_that_cannot_be_sent_anew_stays_with_the_kernel():
    queue = Packets(packets(packet(size=2000)))
    holding(queue, shape(late(10**15)), way="egress")
    assert queue.ended == []


def test_a_packet_that_the_kernel_did_not_take_back_is_counted_as_dropped():
    holder = holding(Packets(packets(TCP)), shape(late(10**15)), way="egress", outbox=Outbox(takes=False))
    holder.finish()
    assert holder.dropped() == 4


def test_no_more_is_taken_from_the_kernel_than_a_queue_holds(monkeypatch):
    monkeypatch.setattr(worker, "QUEUE_LENGTH", 1)
    queue = Packets(packets(TCP, TCP))
    holding(queue, shape(late(10**15)), way="egress")
    assert queue.ended == [1]


def serving(queue: Packets):
    ours, theirs = Pipe()
    thread = threading.Thread(target=lambda: worker.serve(theirs, {"ingress": queue}, Outbox()))
    thread.start()
    return ours, thread


def test_the_end_lets_everything_go_at_once_even_what_was_not_yet_read():
    queue = Packets()
    parent, thread = serving(queue)
    parent.send(("shapes", ((7, shape(late(10**15))),)))
    assert parent.recv() == ({}, 3)
    queue.batches = [packets(UDP), packets(UDP, UDP)]
    parent.send(("end",))
    figures, _ = parent.recv()
    thread.join(10)
    assert not thread.is_alive()
    assert queue.accepted == [1, 1, 2]
    assert list(figures) == [7]


def test_a_parent_that_is_gone_ends_it_and_nothing_stays_held():
    queue = Packets(packets(UDP))
    parent, thread = serving(queue)
    parent.send(("shapes", ((7, shape(late(10**15))),)))
    parent.recv()
    parent.close()
    thread.join(10)
    assert not thread.is_alive()
    assert queue.accepted == [1]


def test_figures_can_be_asked_for_while_it_works():
    parent, thread = serving(Packets())
    parent.send(("shapes", ((7, shape(Loss(percent=1.0))),)))
    parent.recv()
    parent.send(("figures",))
    figures, lost = parent.recv()
    assert (figures[7]["packets"], lost) == (0, 3)
    parent.close()
    thread.join(10)
