from __future__ import annotations

import os
import threading

import pytest

from cleanroom.faults.traffic import worker
from cleanroom.faults.traffic.draw import DelayDraws
from cleanroom.faults.traffic.shape import Delay
from cleanroom.quantity import Duration


class Packets:
    """A queue of packets that come in batches; a pipe makes it something to wait on."""

    def __init__(self, *batches: list[int]) -> None:
        self.batches = list(batches)
        self.accepted: list[int] = []
        self._read, self._write = os.pipe()
        if batches:
            os.write(self._write, b".")

    def fileno(self) -> int:
        return self._read

    def receive(self) -> list[int]:
        found = self.batches.pop(0) if self.batches else []
        if not self.batches:
            os.set_blocking(self._read, False)
            try:
                os.read(self._read, 1)
            except BlockingIOError:
                return found
        return found

    def accept(self, packet: int) -> None:
        self.accepted.append(packet)

    def dropped(self) -> int:
        return 0


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
    assert holder.figures() == {"packets": 2, "delay_total_ns": 200, "delay_max_ns": 100}


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
