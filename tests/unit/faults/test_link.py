from __future__ import annotations

import threading

import pytest

from cleanroom.faults import link
from cleanroom.faults.link import Link
from cleanroom.network.ports import Rtt
from cleanroom.quantity import Duration

SECOND = Duration(10**9)


def answer(*samples: int) -> Rtt:
    return Rtt(samples=samples, lost=1 - len(samples), timeout=SECOND)


@pytest.mark.parametrize(("port", "name"), [(0, "icmp"), (5432, "tcp/5432")])
def test_each_sample_is_one_round_trip_of_the_links_kind(monkeypatch, port, name):
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(link, "tcp_rtt", lambda *call: asked.append(call) or answer(7))
    monkeypatch.setattr(link, "icmp_rtt", lambda *call: asked.append(call) or answer(7))
    way = Link(address="10.0.0.10", netns="/proc/1/ns/net", port=port)
    found = way.measure(7, SECOND)
    assert way.name == name
    assert found == Rtt(samples=(7,) * 7, lost=0, timeout=SECOND)
    expected = ("/proc/1/ns/net", "10.0.0.10", *([port] if port else []), 1, SECOND)
    assert asked == [expected] * 7


def test_lost_round_trips_are_counted(monkeypatch):
    answers = [answer(1), answer(), answer(3)]
    monkeypatch.setattr(link, "icmp_rtt", lambda *_: answers.pop())
    found = Link(address="10.0.0.10").measure(3, SECOND)
    assert (sorted(found.samples), found.lost) == ([1, 3], 1)


def test_five_round_trips_are_under_way_at_once(monkeypatch):
    together = threading.Barrier(5, timeout=10)

    def wait(*_: object) -> Rtt:
        together.wait()
        return answer(1)

    monkeypatch.setattr(link, "icmp_rtt", wait)
    assert Link(address="10.0.0.10").measure(5, SECOND).lost == 0
