"""The kernel's own emulator: what it does to the nth packet is the same in every run with a seed, and not with another.

Run as root by a Python that has cleanroom, in the folder of the repository; prints one JSON object, and exits 1 when
something is not as it must be.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from wire import Wire, kernel_has_netem, open_wire

from cleanroom.errors import CleanroomError
from cleanroom.faults.traffic.control import ControlTraffic
from cleanroom.faults.traffic.shape import (
    Bandwidth,
    Corrupt,
    Delay,
    Duplicate,
    Effect,
    Gilbert,
    Loss,
    Match,
    Reorder,
    Shape,
)  # fmt: skip
from cleanroom.network.volley import volley
from cleanroom.quantity import Duration

SEED, OTHER = 42424242, 42424243
RUNS = 3
MS = 10**6
PATIENCE = Duration(2 * 10**9)
# Emulated machines are slow: what is late by design must be so by more than what is late by chance.
HELD = Duration(400 * MS)
JITTERED = Delay(delay=Duration(300 * MS), jitter=Duration(250 * MS))
NEAR_ENOUGH_MS = 20
RATE = Bandwidth(bits=256_000, burst=2_000)

# What it is called → the effect, the number of packets, and what of the answers the seed decides.
EFFECTS: dict[str, tuple[Effect, int]] = {
    "loss": (Loss(percent=10), 25),
    "loss in bursts": (Gilbert(p=10, r=40), 60),
    "corrupt": (Corrupt(percent=20), 60),
    "duplicate": (Duplicate(percent=20), 60),
    "reorder": (Reorder(percent=50, gap=2, delay=HELD), 30),
}


def struck(wire: Wire, effect: Effect, packets: int, seed: int) -> list[int]:
    """Send the packets with the effect on what comes back; return which of them, from 1 on, it struck."""
    traffic = applied(wire, effect, seed)
    try:
        patience = Duration(PATIENCE.ns + HELD.ns)
        arrivals = volley(wire.near.path, wire.far.address, packets, patience).arrivals
    finally:
        taken_away(traffic)
    numbers = [arrival.number + 1 for arrival in arrivals if arrival.intact]
    if isinstance(effect, Duplicate):
        return sorted({number for number in numbers if numbers.count(number) > 1})
    if isinstance(effect, Reorder):
        # Those that overtake come first, and a later one that was held comes after all of them.
        return [number for at, number in enumerate(numbers) if any(n < number for n in numbers[at + 1 :])]
    return [number for number in range(1, packets + 1) if number not in numbers]


def applied(wire: Wire, effect: Effect, seed: int) -> ControlTraffic:
    """Return the effect, in force."""
    stream = f"{seed:016x}".ljust(64, "0")
    traffic = ControlTraffic(wire.place, Shape(match=Match(direction="egress"), effect=effect, stream=stream))
    traffic.apply()
    return traffic


def taken_away(traffic: ControlTraffic) -> None:
    """Take it away; raises `AssertionError` when it was not in force all the time, or something stays."""
    traffic.remove()
    assert (traffic.lapses, traffic.leftovers()) == ([], ()), (traffic.lapses, traffic.leftovers())


def delays(wire: Wire, seed: int) -> list[float]:
    """Return how late each of twelve packets is, in ms, at its fastest of two series."""
    series = []
    for _ in range(2):
        traffic = applied(wire, JITTERED, seed)
        try:
            series.append(wire.icmp_ms(12))
        finally:
            taken_away(traffic)
    return [min(packet) for packet in zip(*series, strict=True)]


def apart(first: list[float], second: list[float]) -> float:
    """Return the median difference of the same packets of two series."""
    return statistics.median(abs(a - b) for a, b in zip(first, second, strict=True))


def packets_by_index(wire: Wire, name: str) -> tuple[dict[str, object], bool]:
    """Return what was struck, and whether it was the same in all runs and another with another seed."""
    effect, packets = EFFECTS[name]
    runs = [struck(wire, effect, packets, SEED) for _ in range(RUNS)]
    other = struck(wire, effect, packets, OTHER)
    facts: dict[str, object] = {"packets": packets, "runs": runs, "with another seed": other}
    if isinstance(effect, Corrupt):
        # The packet is the seed's, the bit the kernel's own choice: one in the sender's hardware address harms nothing.
        facts["drawn"] = drawn = struck(wire, Duplicate(percent=effect.percent), packets, SEED)
        seeded = all(2 * len(drawn) // 3 <= len(run) and {*run} <= {*drawn} for run in runs)
        return facts, bool(drawn) and seeded and not {*other} <= {*drawn}
    return facts, bool(runs[0]) and all(run == runs[0] for run in runs) and other != runs[0]


def latency(wire: Wire) -> tuple[dict[str, object], bool]:
    """Return the delays of the same packets in three runs, and whether they are the seed's."""
    before = wire.icmp_ms(5)
    first, again, third, other = (delays(wire, seed) for seed in (SEED, SEED, SEED, OTHER))
    repeated = max(apart(first, again), apart(first, third))
    spread = max(first) - min(first)
    holds = (
        min(first) >= (JITTERED.delay.ns - JITTERED.jitter.ns) / MS
        and spread > 2 * NEAR_ENOUGH_MS
        and repeated < NEAR_ENOUGH_MS < apart(first, other)
    )
    facts: dict[str, object] = {
        "before_ms": round(max(before), 1),
        "delays_ms": [round(one) for one in first],
        "same_seed_apart_ms": round(repeated, 1),
        "other_seed_apart_ms": round(apart(first, other), 1),
    }
    return facts, holds


def bandwidth(wire: Wire) -> tuple[dict[str, object], bool]:
    """Return how long packets of ours take at a rate; `htb` holds them back, and has no seed."""
    packets, size = 200, 34 + 8 + 40
    least = (packets * size - RATE.burst) * 8 / RATE.bits
    began = time.monotonic()
    traffic = applied(wire, RATE, SEED)
    try:
        found = volley(wire.near.path, wire.far.address, packets, Duration(20 * 10**9))
        took = time.monotonic() - began
    finally:
        taken_away(traffic)
    facts: dict[str, object] = {
        "packets": packets,
        "answered": found.answered,
        "s": round(took, 2),
        "at_least_s": least,
    }
    return facts, found.answered == packets and took >= least


def main() -> int:
    """Print what was seen."""
    if not kernel_has_netem():
        print(json.dumps({"netem": {"holds": False, "why": "this kernel has no netem"}}))
        return 1
    report: dict[str, dict[str, object]] = {}
    checks = {name: (lambda wire, name=name: packets_by_index(wire, name)) for name in EFFECTS}
    for name, check in {**checks, "latency": latency, "bandwidth": bandwidth}.items():
        try:
            with open_wire() as wire:
                facts, holds = check(wire)
        except (AssertionError, CleanroomError) as err:
            facts, holds = {"why": str(err)}, False
        report[name] = {"holds": holds, **facts}
    print(json.dumps(report))
    return 0 if all(found["holds"] for found in report.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
