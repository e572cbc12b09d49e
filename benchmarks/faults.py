"""How exact the emulated faults of a link are, what they cost, and how soon a kill is proven.

Between two network namespaces, and on containers of the engine at DOCKER_HOST; needs root. Prints one line for each
figure, with the goal beside it. What a busy machine adds is in the figures, too.
"""

from __future__ import annotations

import hashlib
import os
import resource
import secrets
import socket
import statistics
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import ContainerSpec
from cleanroom.faults.ladder import open_fault
from cleanroom.faults.network.sampled import band
from cleanroom.faults.traffic.control import ControlTraffic
from cleanroom.faults.traffic.crew import prepared
from cleanroom.faults.traffic.nft import FilterTraffic
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.faults.traffic.shape import Bandwidth, Delay, Effect, Every, Loss, Match, Shape
from cleanroom.network.namespace import in_namespace
from cleanroom.network.transfer import transfer
from cleanroom.network.volley import volley
from cleanroom.quantity import Duration
from cleanroom.run.agenda import Agenda
from tests.engine.stage import open_stage, strike
from tests.engine.wire import Wire, open_wire

IMAGE = "debian:trixie-slim"
MS = 10**6
EGRESS = Match(direction="egress")
INGRESS = Match(direction="ingress")


def _shape(effect: Effect, match: Match = EGRESS, seed: str = "bench") -> Shape:
    return Shape(match=match, effect=effect, stream=hashlib.sha256(seed.encode()).hexdigest())


def _say(what: str, found: str, goal: str) -> None:
    print(f"{what:<58} {found:<34} goal {goal}", flush=True)


def one_way(wire: Wire, rate: int, count: int) -> list[float]:
    """Milliseconds from sending to arriving of datagrams from the far end, by one clock; -1 for one that is lost."""
    near = in_namespace(wire.near.path, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    far = in_namespace(wire.far.path, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with near, far:
        near.bind((wire.near.address, 0))
        near.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), 1 << 24)
        # The kernel says when a datagram came: how soon this program looks does not count.
        near.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_TIMESTAMPNS", 35), 1)
        near.settimeout(1.0)
        began = time.monotonic()
        for number in range(count):
            while time.monotonic() < began + number / rate:
                time.sleep(0.0001)
            far.sendto(struct.pack("!IQ", number, time.time_ns()), near.getsockname())
        found = [-1.0] * count
        for _ in range(count):
            try:
                data, ancillary, _, _ = near.recvmsg(64, 64)
            except TimeoutError:
                break
            number, sent = struct.unpack("!IQ", data)
            seconds, rest = struct.unpack("qq", ancillary[0][2][:16])
            found[number] = (seconds * 10**9 + rest - sent) / MS
    return found


def _latency(wire: Wire) -> None:
    for rate, goal in ((100, "p99 <= 1 ms"), (2000, "p99 <= 3 ms")):
        traffic = QueueTraffic(wire.place, _shape(Delay(delay=Duration(20 * MS))))
        traffic.apply()
        found = sorted(time_ - 20 for time_ in one_way(wire, rate, rate * 3) if time_ >= 0)
        traffic.remove()
        p99 = found[int(0.99 * len(found))]
        words = f"p50 {statistics.median(found):.3f}, p99 {p99:.3f} ms, {len(found)} arrived"
        _say(f"latency: error of the queue at {rate} packets/s", words, goal)


def _loss(wire: Wire) -> None:
    low, high = band(10_000, 0.05, 0.005)
    for name, made in (("nfqueue", QueueTraffic), ("nftables", FilterTraffic)):
        traffic = made(wire.place, _shape(Loss(percent=5.0)))
        traffic.apply()
        lost = one_way(wire, 5000, 10_000).count(-1.0)
        traffic.remove()
        _say(f"loss: of 10,000 packets at 5 % by {name}", f"{lost} lost", f"{low} to {high}")
    traffic = QueueTraffic(wire.place, _shape(Every(nth=7)))
    traffic.apply()
    found = one_way(wire, 5000, 3500)
    traffic.remove()
    exact = [n for n, time_ in enumerate(found) if time_ < 0] == list(range(6, 3500, 7))
    _say("loss: every 7th of 3,500", f"exactly those: {exact}", "True")
    runs = set()
    for _ in range(20):
        traffic = QueueTraffic(wire.place, _shape(Loss(percent=30.0)))
        traffic.apply()
        runs.add(tuple(n for n, time_ in enumerate(one_way(wire, 2000, 150)) if time_ < 0))
        traffic.remove()
    _say("loss: different results of 20 runs with one seed", f"{len(runs)}", "1")


def _bandwidth(wire: Wire) -> None:
    for match in (EGRESS, INGRESS):
        for bits in (10**6, 10**7, 10**8):
            effect = Bandwidth(bits=bits, burst=max(1600, bits // 400))
            traffic = ControlTraffic(wire.place, _shape(effect, match))
            traffic.apply()
            found = transfer(
                wire.far.path, wire.near.path, wire.far.address, out=match is EGRESS, port=0, seconds=3.0,
                skip=2 * effect.burst + bits // 80, window=max(8192, min(1 << 22, bits // 80)),
            )  # fmt: skip
            traffic.remove()
            error = f"{100 * (found / bits - 1):+.1f} %"
            _say(
                f"bandwidth: {bits // 10**6} Mbit/s, {match.direction}", f"{found / 10**6:.3f} Mbit/s ({error})", "5 %"
            )


def _cost(wire: Wire) -> None:
    kinds = (
        ("nfqueue", QueueTraffic, Delay(delay=Duration(MS))),
        ("nftables", FilterTraffic, Loss(percent=5.0)),
        ("htb", ControlTraffic, Bandwidth(bits=10**6, burst=2500)),
    )
    for name, made, effect in kinds:
        times: list[tuple[float, float]] = []
        for _ in range(11):
            traffic = made(wire.place, _shape(effect))
            points = [time.monotonic()]
            for act in (traffic.apply, traffic.remove):
                act()
                points.append(time.monotonic())
            times.append((points[1] - points[0], points[2] - points[1]))
        inject, revert = (1000 * statistics.median(column) for column in zip(*times, strict=True))
        _say(f"cost: inject and revert by {name}, median of 11", f"{inject:.1f} and {revert:.1f} ms", "50 and 50 ms")


def _throughput(wire: Wire) -> None:
    def carried() -> float:
        return transfer(wire.far.path, wire.near.path, wire.far.address, out=True, port=0, seconds=2.0, window=1 << 20)

    free = carried()
    traffic = QueueTraffic(wire.place, _shape(Loss(percent=0.000001)))
    traffic.apply()
    before = processor_of(traffic.worker)
    began = time.monotonic()
    queued = carried()
    used, took = processor_of(traffic.worker) - before, time.monotonic() - began
    traffic.remove()
    packets = int(str(traffic.figures["packets"]))
    words = f"{queued / 10**6:.0f} of {free / 10**6:.0f} Mbit/s"
    _say("throughput through the queue without delay", words, "none")
    share = f"{100 * used / took:.0f} % of a processor, {10**6 * used / max(1, packets):.1f} us a packet"
    _say("cost: processor time of the queue's worker", share, "none")


def processor_of(pid: int) -> float:
    """Return the seconds of processor time that a process has had."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - one line of the kernel's
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _probes(wire: Wire) -> None:
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    found = volley(wire.near.path, wire.far.address, 500, Duration(10**9))
    words = f"{1000 * (time.monotonic() - began):.0f} ms, {found.lost} lost"
    spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - used
    _say("evidence: 500 packets across the free link", words, f"0 lost ({1000 * spent:.0f} ms of processor)")


def _kills() -> None:
    """Say how long it takes from sending the signal until the death is seen and proven."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    made: list[str] = []
    times = []
    with DockerEngine(host, labels={"cleanroom.bench": secrets.token_hex(4)}) as engine:

        def run(*command: str, **options: object) -> str:
            name = f"clr-bench-{secrets.token_hex(4)}"
            made.append(engine.create(ContainerSpec(name=name, image=IMAGE, command=command, **options)))  # type: ignore[arg-type]
            engine.start(made[-1])
            return made[-1]

        with open_stage(engine, run) as stage:
            for number in range(11):
                target = stage.service(f"t{number}", 10 + number)
                fault = open_fault(strike("container.kill", target.service), stage.context(target))
                began = time.monotonic()
                fault.inject()
                assert fault.verify().holds, "a kill was not proven"
                times.append(1000 * (time.monotonic() - began))
    _say(
        "kill: until it is proven, median and worst of 11",
        f"{statistics.median(times):.0f}, {max(times):.0f} ms",
        "100 ms",
    )


def _idle() -> None:
    """Say what fifty planned faults cost while none of them is due."""
    agenda = Agenda()
    for _ in range(50):
        agenda.after(3600, lambda: None)
    used = time.process_time()
    time.sleep(2)
    spent = 1000 * (time.process_time() - used) / 2
    agenda.close()
    agenda.join(10)
    _say("50 planned faults that are not due", f"{spent:.2f} ms of processor a second", "about 0")


if __name__ == "__main__":
    with prepared(), open_wire() as made_wire:
        for figure in (_cost, _latency, _loss, _bandwidth, _throughput, _probes):
            figure(made_wire)
    _kills()
    _idle()
