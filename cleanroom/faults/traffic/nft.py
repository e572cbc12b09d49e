"""The nftables rung: packets are lost by the kernel, by a seeded table of indices or by whether the link is down."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.decision import lost_of
from cleanroom.faults.traffic.place import Inside
from cleanroom.faults.traffic.shape import Effect, Every, Flap, Gilbert, Loss, Match, Shape, Way
from cleanroom.faults.traffic.table import INTERFACE_GONE, interface
from cleanroom.network.command import run

_BACKEND = "nftables"
_PREFIX = "cleanroom_traffic_"
# `packets` alone is a word of the language.
_COUNTER = "count_"
# So many packets until the seeded decisions repeat: enough for a share of a tenth of a percent.
PERIOD = 8192
_MOMENTS = 100
# A toggle may be as late as this on a busy machine before it is missed.
_LATE = 5.0
_LOOK = 0.005
_NEEDS = "a kernel with nf_tables for netdev (ingress, and egress from 5.16 on) and nft_numgen is needed"
_numbers = itertools.count()


def condition(match: Match, way: Way) -> tuple[str, ...]:
    """Return the nft conditions, each enough by itself, for the packets that go this way."""
    words = ["meta protocol ip"]
    if match.peers:
        words.append(f"ip {'daddr' if way == 'egress' else 'saddr'} {{ {', '.join(match.peers)} }}")
    if match.protocol != "any":
        words.append(f"meta l4proto {match.protocol}")
    elif match.ports:
        words.append("meta l4proto { tcp, udp }")
    if not match.ports:
        return (" ".join(words),)
    ports = ", ".join(str(port) for port in match.ports)
    # A packet with both ends among the ports must be counted once.
    ends = (f"th sport {{ {ports} }}", f"th sport != {{ {ports} }} th dport {{ {ports} }}")
    return tuple(" ".join((*words, end)) for end in ends)


def losses(effect: Effect, stream: str) -> tuple[str, ...]:
    """Return the rules that decide which of the matched packets are lost; none while all pass."""
    if isinstance(effect, Every):
        return (f"numgen inc mod {effect.nth} {effect.nth - 1} goto gone",)
    if isinstance(effect, Loss | Gilbert):
        lost = lost_of(effect, stream, PERIOD)
        return (f"numgen inc mod {PERIOD} vmap {{ {', '.join(f'{i} : goto gone' for i in lost)} }}",) if lost else ()
    if isinstance(effect, Flap):
        return ("goto gone",)
    raise CapabilityError(f"backend {_BACKEND}: packets can only be lost here")


def table(name: str, shape: Shape, device: str = "eth0") -> str:
    """Return the whole table of one shape, for `nft -f`."""
    lines = [
        f"table netdev {name} {{",
        *(f"counter {_COUNTER}{name} {{ }}" for name in ("packets", "bitten")),
        "chain gone {", f"counter name {_COUNTER}bitten drop", "}",
        "chain decide {", *losses(shape.effect, shape.stream), "}",
        "chain matched {", f"counter name {_COUNTER}packets", "goto decide", "}",
    ]  # fmt: skip
    for way in shape.match.ways:
        # After everything else that looks at the packets here.
        lines.append(f'chain {way} {{ type filter hook {way} device "{device}" priority 100; policy accept;')
        lines.extend(f"{one} goto matched" for one in condition(shape.match, way))
        lines.append("}")
    return "\n".join((*lines, "}", ""))


class FilterTraffic:
    """One loss, or one flapping link, on one container in a table of its own; made and taken away as a whole."""

    backend = _BACKEND

    def __init__(self, place: Inside, shape: Shape) -> None:
        self._place = place
        self._shape = shape
        self._name = f"{_PREFIX}{next(_numbers)}"
        self._applied = False
        self._interface = 0
        self.flapping: Flapping | None = None
        self.figures: dict[str, Json] = {}
        self.lapses: list[str] = []

    def _nft(self, text: str) -> None:
        self._place.do(lambda: run(("nft", "-f", "-"), stdin=text))

    def apply(self) -> None:
        """Make the table; raises `CapabilityError` when this kernel cannot."""
        try:
            self._nft(table(self._name, self._shape))
        except EngineError as err:
            raise CapabilityError(f"backend {_BACKEND}: {err.message.splitlines()[0]}", remedy=_NEEDS) from err
        self._applied = True
        self._interface = interface(self._place)
        if isinstance(self._shape.effect, Flap):
            self.flapping = Flapping(self._shape.effect, self._toggle)
            self.flapping.start()

    def _toggle(self, *, down: bool) -> None:
        rules = losses(self._shape.effect, self._shape.stream) if down else ()
        added = [f"add rule netdev {self._name} decide {rule}" for rule in rules]
        self._nft("\n".join((f"flush chain netdev {self._name} decide", *added, "")))

    def counters(self) -> dict[str, Json]:
        """Return how many packets matched and how many of them were lost, so far; none when the table is gone."""
        try:
            listed = json.loads(self._place.do(lambda: run(("nft", "-j", "list", "counters", "netdev"))))
        except EngineError:
            return {}
        found = [one["counter"] for one in listed["nftables"] if "counter" in one]
        return {one["name"].removeprefix(_COUNTER): one["packets"] for one in found if one["table"] == self._name}

    def remove(self) -> None:
        """Take the table away; safe to call twice."""
        if not self._applied:
            return
        self._applied = False
        if self.flapping is not None:
            self.figures.update(self.flapping.stop())
            self.lapses.extend(self.flapping.failures)
        self.figures.update(self.counters())
        if interface(self._place) != self._interface:
            self.lapses.append(INTERFACE_GONE)
        try:
            self._nft(f"delete table netdev {self._name}\n")
        except EngineError as err:
            # Whether it is gone or cannot be removed, `leftovers` sees; in either case it was not as we left it.
            self.lapses.append(f"its table was not there to be taken away: {err.message.splitlines()[0]}")

    def leftovers(self) -> tuple[str, ...]:
        """Return the table, where it is there still."""
        listed = self._place.do(lambda: run(("nft", "list", "tables")))
        return tuple(line for line in listed.splitlines() if line.split()[-1:] == [self._name])


class Toggle(Protocol):
    """Makes the link pass nothing, or everything; raises `EngineError`."""

    def __call__(self, *, down: bool) -> None:
        """Do it."""


class Flapping:
    """Takes the link down and up at moments that are fixed when it starts; it is down when it starts."""

    def __init__(self, flap: Flap, toggle: Toggle) -> None:
        self._flap = flap
        self._toggle = toggle
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flap", daemon=True)
        self._began = 0
        self.moments: list[int] = []
        """Nanoseconds from the start to each toggle that took place."""
        self.failures: list[str] = []

    def start(self) -> None:
        """Begin: the link has just been taken down."""
        self._began = time.monotonic_ns()
        self._thread.start()

    def planned(self, number: int) -> int:
        """Return when the toggle of this number is due, in nanoseconds from the start; the first is `up`."""
        cycles, rest = divmod(number + 1, 2)
        return cycles * (self._flap.up.ns + self._flap.down.ns) + rest * self._flap.down.ns

    def elapsed(self) -> int:
        """Nanoseconds since the start."""
        return time.monotonic_ns() - self._began

    def phase(self, *, down: bool) -> int:
        """Wait until the link is down, or up; return the number of toggles that have been."""
        for _ in range(2):
            number = len(self.moments)
            if (number % 2 == 0) == down or not self.wait(number):
                return number
        return len(self.moments)

    def left(self, number: int) -> int:
        """Nanoseconds until the toggle of this number."""
        return self.planned(number) - self.elapsed()

    def wait(self, number: int) -> bool:
        """Wait until the toggle of this number has been; return whether it has."""
        deadline = time.monotonic() + max(0, self.left(number)) / 10**9 + _LATE
        while len(self.moments) <= number and self._thread.is_alive() and time.monotonic() < deadline:
            self._stopping.wait(_LOOK)
        return len(self.moments) > number

    def _run(self) -> None:
        for number in itertools.count():
            if self._stopping.wait(max(0, self.planned(number) - self.elapsed()) / 10**9):
                return
            try:
                self._toggle(down=number % 2 == 1)
            except EngineError as err:
                self.failures.append(f"the link could not be toggled: {err.message.splitlines()[0]}")
                return
            self.moments.append(self.elapsed())

    def stop(self) -> dict[str, Json]:
        """Stop toggling; return how often it did, and when it did at first."""
        self._stopping.set()
        self._thread.join()
        late = [moment - self.planned(number) for number, moment in enumerate(self.moments)]
        if max(late, default=0) > min(self._flap.up, self._flap.down).ns:
            self.failures.append(f"a toggle came {max(late) / 10**6:.0f} ms late, which is more than a phase")
        first: Sequence[int] = self.moments[:_MOMENTS]
        return {
            "toggles": len(self.moments), "latest_toggle_ms": round(max(late, default=0) / 10**6, 1),
            "toggled_at_ms": ", ".join(f"{moment / 10**6:.0f}" for moment in first),
        }  # fmt: skip
