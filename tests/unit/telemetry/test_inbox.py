from __future__ import annotations

import pytest

from cleanroom.errors import TelemetryError
from cleanroom.telemetry.inbox import JSON, MARKER_LIMIT, PROTOBUF, Arrival, Inbox
from cleanroom.trace.model import Origin


class Ticks:
    """A clock that moves on by one nanosecond each time it is read."""

    def __init__(self):
        self.ns = 0

    def now_ns(self):
        self.ns += 1
        return self.ns

    def monotonic(self):
        return self.ns / 10**9

    def sleep(self, seconds):
        self.ns += int(seconds * 10**9)


def inbox(max_bytes=1000):
    return Inbox((0, 1), Ticks(), max_bytes)


def spans(body=b"x", content_type=PROTOBUF):
    return Arrival(signal="traces", content_type=content_type, body=body)


def test_files_by_slot_whatever_the_body_says():
    box = inbox()
    box.open(0, "a")
    box.open(1, "b")
    assert box.file_slot(0, spans(b"i am from b")) == "filed"
    assert box.file_slot(1, spans(b"mine", JSON)) == "filed"
    (of_a,), (of_b,) = box.payloads("a"), box.payloads("b")
    assert (of_a.environment, of_a.origin, of_a.body) == ("a", Origin.SERVICE, b"i am from b")
    assert (of_b.content_type, of_b.signal, of_b.body) == (JSON, "traces", b"mine")


def test_keeps_the_order_of_arrival():
    box = inbox()
    box.open(0, "a")
    for body in (b"1", b"2", b"3"):
        box.file_slot(0, spans(body))
    kept = box.close(0, "a")
    assert [p.body for p in kept] == [b"1", b"2", b"3"]
    assert [p.received_ns for p in kept] == sorted(p.received_ns for p in kept)


def test_counts_what_comes_after_the_end_as_late_for_the_last_environment():
    box = inbox()
    box.open(0, "a")
    box.close(0, "a")
    assert box.file_slot(0, spans()) == "late"
    assert (box.late("a"), box.payloads("a")) == (1, ())
    box.open(0, "b")
    assert box.file_slot(0, spans()) == "filed"
    assert (box.late("a"), box.late("b")) == (1, 0)


def test_refuses_a_slot_that_no_environment_ever_used():
    box = inbox()
    assert box.file_slot(0, spans()) == "unknown"
    assert box.file_slot(7, spans()) == "unknown"


def test_runner_spans_are_kept_apart_and_only_for_announced_environments():
    box = inbox()
    assert box.file_runner("a", spans()) == "unknown"
    box.admit_runner("a")
    assert box.file_runner("a", spans(b"ours")) == "filed"
    assert [p.origin for p in box.payloads("a")] == [Origin.RUNNER]


def test_runner_spans_still_count_after_the_environment_closed():
    box = inbox()
    box.open(0, "a")
    box.admit_runner("a")
    assert box.close(0, "a") == ()
    box.file_runner("a", spans(b"cleanup"))
    assert [p.body for p in box.payloads("a")] == [b"cleanup"]
    assert box.late("a") == 0


def test_more_than_the_bound_is_refused_and_told():
    box = inbox(max_bytes=10)
    box.open(0, "a")
    box.open(1, "b")
    assert box.file_slot(0, spans(b"1234567890")) == "filed"
    box.check()
    assert box.file_slot(0, spans(b"x")) == "full"
    assert box.file_slot(1, spans(b"x")) == "filed"
    with pytest.raises(TelemetryError, match="'a' sent more than 10 bytes"):
        box.check()
    with pytest.raises(TelemetryError):
        box.check(0)
    box.check(1)


@pytest.mark.parametrize("again", ["a", "b"])
def test_a_busy_slot_cannot_be_opened(again):
    box = inbox()
    box.open(0, "a")
    with pytest.raises(TelemetryError):
        box.open(0, again)


def test_a_name_serves_once():
    box = inbox()
    box.open(0, "a")
    box.close(0, "a")
    box.open(0, "b")
    box.close(0, "b")
    with pytest.raises(TelemetryError, match="opened before"):
        box.open(1, "a")


def test_only_what_is_open_can_be_closed():
    box = inbox()
    with pytest.raises(TelemetryError):
        box.close(0, "a")
    box.open(0, "a")
    with pytest.raises(TelemetryError):
        box.close(0, "b")
    with pytest.raises(TelemetryError):
        box.close(1, "a")


def test_the_marker_is_seen_and_never_kept():
    box = inbox()
    box.open(0, "a")
    with box.marker(0, b"token"):
        assert box.file_slot(0, spans(b"other")) == "filed"
        assert not box.marker_seen(0, b"token")
        assert box.file_slot(0, spans(b"..token..")) == "marker"
        assert box.marker_seen(0, b"token")
    assert [p.body for p in box.payloads("a")] == [b"other"]


def test_a_marker_counts_on_its_own_slot_and_while_it_is_awaited_only():
    box = inbox(max_bytes=10 * MARKER_LIMIT)
    box.open(0, "a")
    box.open(1, "b")
    with box.marker(0, b"token"):
        assert box.file_slot(1, spans(b"token")) == "filed"
        assert box.file_slot(0, spans(b"token".ljust(MARKER_LIMIT + 1))) == "filed"
        assert not box.marker_seen(0, b"token")
    assert box.file_slot(0, spans(b"token")) == "filed"


def test_a_request_is_under_way_from_its_first_byte_until_it_is_stored():
    box = inbox()
    with box.receiving(0):
        now = box.traffic(0)
        assert (now.started, now.finished) == (1, 0)
    assert (box.traffic(0).started, box.traffic(0).finished, box.traffic(1).started) == (1, 1, 0)


def test_an_unknown_environment_is_an_error():
    with pytest.raises(TelemetryError, match="never opened"):
        inbox().payloads("nobody")
