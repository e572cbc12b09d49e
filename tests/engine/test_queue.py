"""The userspace queue on the real kernel, between two network namespaces, and that each proof of it can fail."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cleanroom.engine.child import child_environment, child_python
from cleanroom.errors import CapabilityError
from cleanroom.faults.traffic.netlink import PacketQueue
from cleanroom.faults.traffic.place import Place
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.network.measure import icmp_rtt, tcp_rtt
from cleanroom.network.namespace import in_namespace
from cleanroom.network.ports import Rtt
from cleanroom.quantity import Duration
from tests.engine.wire import MS, TIMEOUT, Wire, open_wire, running, wait_until

STREAM = hashlib.sha256(b"tests").hexdigest()
DELAY = Duration(40 * MS)
FAR = "10.99.0.2"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with open_wire() as made:
        yield made


def queue(wire: Wire, match: Match, **delay: object) -> QueueTraffic:
    shape = Shape(match=match, effect=Delay(**{"delay": DELAY, **delay}), stream=STREAM)  # type: ignore[arg-type]
    return QueueTraffic(wire.place, shape)


@pytest.mark.parametrize(("direction", "times"), [("egress", 1), ("ingress", 1), ("both", 2)])
def test_the_queue_delays_each_direction_by_what_was_asked_and_leaves_nothing(wire, direction, times):
    traffic = queue(wire, Match(direction=direction))
    before = min(wire.tcp_ms())
    traffic.apply()
    worker = traffic.worker
    # Load only adds: the fastest of ten shows what the queue itself does. Never early, and on time.
    fastest = min(wire.tcp_ms(samples=10))
    assert times * DELAY.ms <= fastest < times * DELAY.ms + before + 8
    assert min(wire.icmp_ms()) >= times * DELAY.ms
    assert running(worker)
    traffic.remove()
    assert traffic.leftovers() == ()
    assert traffic.lapses == []
    assert "NFQUEUE" not in wire.rules()
    assert wire.bound_queues() == ""
    wait_until(lambda: not running(worker))
    assert min(wire.tcp_ms()) < DELAY.ms
    assert traffic.figures["packets"] >= 15 * times


def test_only_packets_of_the_named_ports_are_delayed(wire):
    traffic = queue(wire, Match(direction="egress", protocol="tcp", ports=tuple(range(5400, 5433))))
    traffic.apply()
    try:
        # The first and the last of more ports than one rule takes, and one beside them.
        assert min(wire.tcp_ms(5400)) >= DELAY.ms
        assert min(wire.tcp_ms(5432)) >= DELAY.ms
        assert min(wire.tcp_ms(5433)) < DELAY.ms
        assert min(wire.icmp_ms()) < DELAY.ms
    finally:
        traffic.remove()


@pytest.mark.parametrize(("peer", "delayed"), [("10.99.0.1", True), ("10.99.0.77", False)])
def test_only_packets_to_the_named_peers_are_delayed(wire, peer, delayed):
    traffic = queue(wire, Match(direction="both", peers=(peer,)))
    traffic.apply()
    try:
        assert (min(wire.tcp_ms()) >= 2 * DELAY.ms) is delayed
    finally:
        traffic.remove()


def test_what_a_service_says_to_itself_is_not_delayed(wire):
    traffic = queue(wire, Match(direction="both"))
    traffic.apply()
    try:
        assert min(tcp_rtt(wire.far.path, "127.0.0.1", 9, 5, TIMEOUT).samples) < DELAY.ns
        assert min(tcp_rtt(wire.far.path, FAR, 9, 5, TIMEOUT).samples) < DELAY.ns
    finally:
        traffic.remove()


def test_jitter_spreads_the_round_trips_within_its_bounds(wire):
    traffic = queue(wire, Match(direction="egress"), jitter=Duration(30 * MS))
    traffic.apply()
    try:
        found = wire.icmp_ms(12)
    finally:
        traffic.remove()
    assert min(found) >= 10
    assert max(found) - min(found) > 15
    assert traffic.figures["delay_max_ns"] <= 70 * MS


@pytest.mark.parametrize("measure", [icmp_rtt, lambda *call: tcp_rtt(*call[:2], 9, *call[2:])])
@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_packets_that_are_held_when_the_fault_ends_arrive_all_the_same(wire, direction, measure):
    traffic = queue(wire, Match(direction=direction), delay=Duration(60 * 10**9))
    traffic.apply()
    answers: list[Rtt] = []
    asking = threading.Thread(target=lambda: answers.append(measure(wire.near.path, FAR, 1, TIMEOUT)))
    asking.start()
    wait_until(lambda: wire.handed_over() > 0)
    traffic.remove()
    asking.join(15)
    assert len(answers[0].samples) == 1
    assert traffic.figures["released_early"] >= 1
    assert traffic.lapses == []


def test_a_dead_worker_lets_packets_pass_and_is_a_lapse(wire):
    traffic = queue(wire, Match(direction="egress"))
    traffic.apply()
    assert min(wire.tcp_ms()) >= DELAY.ms
    os.kill(traffic.worker, signal.SIGKILL)
    wait_until(lambda: wire.bound_queues() == "")
    assert min(wire.tcp_ms()) < DELAY.ms
    traffic.remove()
    assert traffic.lapses == ["the worker that held packets ended early"]
    assert traffic.leftovers() == ()


def test_a_rule_that_somebody_removed_is_a_lapse(wire):
    traffic = queue(wire, Match(direction="egress"))
    traffic.apply()
    wire.far.run(("iptables", "-t", "mangle", "-F"))
    traffic.remove()
    assert "were not there" in traffic.lapses[0]
    assert traffic.leftovers() == ()


def test_a_rule_that_stays_is_a_leftover(wire):
    traffic = queue(wire, Match(direction="egress"))
    traffic.apply()
    wire.far.run(("iptables", "-t", "mangle", "-A", "INPUT", "-j", "NFQUEUE", "--queue-num", "78", "--queue-bypass"))
    traffic.remove()
    assert len(traffic.leftovers()) == 1


def test_the_death_of_its_parent_ends_the_worker(wire):
    shape = "Shape(match=Match(direction='egress'), effect=Delay(delay=Duration(1)), stream='ab')"
    script = f"""
import sys, time
from cleanroom.faults.traffic.place import Place
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.quantity import Duration
traffic = QueueTraffic(Place({wire.far.path!r}), {shape})
traffic.apply()
print(traffic.worker, flush=True)
time.sleep(100)
"""
    argv = (*child_python(), "-c", script)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=child_environment({})) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert "77" in wire.bound_queues()
        parent.kill()
    wait_until(lambda: wire.bound_queues() == "" and not running(worker))
    assert min(wire.tcp_ms()) < DELAY.ms


def test_a_queue_that_is_taken_refuses_the_rung_and_stays(wire):
    theirs = wire.place.do(lambda: PacketQueue(78, 100))
    traffic = queue(wire, Match(direction="ingress"))
    with pytest.raises(CapabilityError, match="refused packet queue 78"):
        traffic.apply()
    traffic.remove()
    assert "78" in wire.bound_queues()
    assert traffic.leftovers() == ()
    theirs.close()


def test_two_shapes_share_a_worker_and_each_has_its_own_packets(wire):
    all_of_it, web = queue(wire, Match(direction="both")), queue(wire, Match(direction="egress", ports=(80,)))
    for traffic in (all_of_it, web):
        traffic.apply()
    assert all_of_it.worker == web.worker
    assert 3 * DELAY.ms <= min(wire.tcp_ms(80))
    assert 2 * DELAY.ms <= min(wire.tcp_ms(81)) < 3 * DELAY.ms
    all_of_it.remove()
    assert DELAY.ms <= min(wire.tcp_ms(80)) < 2 * DELAY.ms
    assert min(wire.tcp_ms(81)) < DELAY.ms
    web.remove()
    assert (all_of_it.figures["packets"], web.figures["packets"]) == (20, 10)
    assert (web.leftovers(), web.lapses, all_of_it.lapses) == ((), [], [])
    assert "CLEANROOM" not in wire.rules()


@pytest.mark.parametrize("delay", [Duration(2 * MS), Duration(100 * MS)])
@pytest.mark.parametrize("direction", ["egress", "ingress", "both"])
def test_a_large_transfer_through_the_queue_is_whole_and_only_delayed(wire, direction, delay):
    traffic = queue(wire, Match(direction=direction), delay=delay)
    traffic.apply()
    data = hashlib.sha256(b"large").digest() * (1 << 18)  # 8 MiB
    with ExitStack() as stack:
        server = stack.enter_context(in_namespace(wire.far.path, lambda: socket.create_server((FAR, 5000))))
        stack.callback(traffic.remove)
        serving = threading.Thread(target=lambda: give(server, data))
        serving.start()
        client = stack.enter_context(in_namespace(wire.near.path, lambda: socket.create_connection((FAR, 5000), 30)))
        digest, size = hashlib.sha256(), 0
        # About a second's work. A sender that waits for its own held packets needs minutes (two packets per delay).
        begun = time.monotonic()
        while chunk := client.recv(1 << 16):
            digest.update(chunk)
            size += len(chunk)
            assert time.monotonic() - begun < 45
        serving.join(10)
    assert (size, digest.digest()) == (len(data), hashlib.sha256(data).digest())
    assert traffic.lapses == []


def give(server: socket.socket, data: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(data)


def test_our_own_network_is_never_disturbed():
    with pytest.raises(CapabilityError, match="shares the network"):
        Place("/proc/self/ns/net")
