"""Faults of the family clock: libfaketime is told another time by the service's control file.

What a service then reads is measured by a program of ours inside, through the container's own C library, and every
process of the service must have the library loaded: one that keeps the machine's time is named, and the fault refused.
Nothing here sets a clock of the machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from cleanroom.canonical import Json
from cleanroom.engine.clock import Reading, misses, read_clock, unreached
from cleanroom.engine.clock_control import ClockControl, age_of
from cleanroom.errors import CapabilityError, CleanroomError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockRate, ClockSetting, FrozenClock
from cleanroom.spec.instant import Instant

RUNG = "libfaketime"
JOIN_TIMEOUT = 60.0
# What a reading is compared with may have changed while it was taken: then it is taken again.
TRIES = 20

_claims: set[Path] = set()
_claiming = threading.Lock()


@dataclass(slots=True)
class Hit:
    """One target's clock: what it is set to now, and what was read."""

    name: str
    container: str
    started_at: str
    control: ClockControl
    before: Reading
    setting: ClockSetting
    begin_ns: int = 0
    """Of a frozen clock: the instant at which it stands."""
    told: bool = False
    matched: int = 0
    missed: list[str] = field(default_factory=list)
    jumps: int = 0


class Alter:
    """One fault of the family; `tell` makes it so for one target."""

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self.backend = RUNG
        self._event = event
        self._context = context
        self._hits: list[Hit] = []
        self._ended = threading.Event()

    def tell(self, hit: Hit) -> None:
        """Write the control file, and say in the hit what its clock must read then."""
        raise NotImplementedError

    def inject(self) -> None:
        """Check that every process is reached and right now, then alter the clocks."""
        for name in self._event.targets:
            self._hits.append(self._open(name))
        for hit in self._hits:
            hit.told = True
            self.tell(hit)

    def _open(self, name: str) -> Hit:
        control = self._context.clocks.get(name)
        if control is None:
            raise CapabilityError(f"the clock of {name} was not prepared when it started")
        container = self._context.containers[name].id
        state = self._context.engine.inspect(container)
        if state.status != "running":
            raise CapabilityError(f"{name} does not run ({state.status}): it has no clock")
        missed = unreached(state.id, self._context.clock)
        if missed:
            raise CapabilityError(
                f"the clock of {name} cannot be altered: {'; '.join(missed)}",
                remedy="use a program that asks glibc for the time",
            )
        before = self._read(container)
        wrong = misses(control.true, before, 0)
        if wrong:
            raise EngineError(f"the clock of {name} was not right before the fault: {wrong}")
        with _claiming:
            if control.directory in _claims:
                raise CapabilityError(
                    f"another fault alters the clock of {name}",
                    remedy="end the first before the second starts (`for:` or `until:`)",
                )
            _claims.add(control.directory)
        return Hit(name, container, state.started_at, control, before, control.true)

    def _read(self, container: str) -> Reading:
        return read_clock(self._context.engine, container, self._context.clock)

    def verify(self) -> Evidence:
        """Hold when the time read inside each target is what was asked for."""
        facts: dict[str, Json] = {}
        wrong = []
        for hit in self._hits:
            reading, missed = self._look(hit)
            facts.update({f"{hit.name}.before_ms": ms(hit.before), f"{hit.name}.during_ms": ms(reading)})
            facts[f"{hit.name}.rate"] = 0.0 if reading.frozen else round(sum(reading.rate) / 2, 3)
            if missed:
                wrong.append(f"{hit.name}: {missed}")
        return Evidence(holds=not wrong and bool(self._hits), facts=facts, reason="; ".join(wrong))

    def _look(self, hit: Hit) -> tuple[Reading, str]:
        jumps, setting, reading = hit.jumps, hit.setting, self._read(hit.container)
        for _ in range(TRIES):
            if hit.jumps == jumps:
                break
            jumps, setting, reading = hit.jumps, hit.setting, self._read(hit.container)
        return reading, misses(setting, reading, hit.begin_ns)

    def revert(self) -> None:
        """Make the clocks true again; all are tried, whatever fails."""
        self._ended.set()
        failures = []
        for hit in reversed(self._hits):
            if not hit.told:
                continue
            try:
                hit.control.ahead(0)
            except OSError as err:
                failures.append(f"the clock of {hit.name}: {err.strerror}")
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when the time read inside each target that still runs is what it was without the fault."""
        facts: dict[str, Json] = {}
        wrong, lapses = [], []
        for hit in self._hits:
            with _claiming:
                _claims.discard(hit.control.directory)
            found, lapse = self._after(hit, facts)
            wrong += [f"{hit.name}: {found}"] if found else []
            lapses += [f"{hit.name}: {one}" for one in (*hit.missed, *lapse)]
        return Evidence(holds=not wrong, facts=facts, reason="; ".join(wrong), lapsed="; ".join(lapses))

    def _after(self, hit: Hit, facts: dict[str, Json]) -> tuple[str, list[str]]:
        try:
            state = self._context.engine.inspect(hit.container)
        except EngineError:
            facts[f"{hit.name}.state"] = "gone"
            return "", []
        if state.status != "running":
            facts[f"{hit.name}.state"] = state.status
            return "", []
        reading = self._read(hit.container)
        facts[f"{hit.name}.after_ms"] = ms(reading)
        restarted = state.started_at != hit.started_at
        facts.update({f"{hit.name}.state": "restarted"} if restarted else {})
        # Processes that began anew count a rate from another beginning.
        lapse = (
            ["it was restarted, and its clock began anew"] if restarted and isinstance(hit.setting, ClockRate) else []
        )
        return misses(hit.control.true, reading, 0), lapse

    def recovery(self) -> Recovery | None:
        """Nothing has to recover from another time."""
        return None


def ms(reading: Reading) -> float:
    """Return how far a clock was ahead, in milliseconds."""
    return round(reading.offset_ns / 10**6, 3)


class Skew(Alter):
    """`clock.skew(offset)`."""

    def tell(self, hit: Hit) -> None:
        """Put the clock ahead, once."""
        hit.setting = hit.control.ahead(cast("Duration", self._event.parameters["offset"]).ns)


class Freeze(Alter):
    """`clock.freeze(at)`, to the second; without `at` it stands where it is."""

    def tell(self, hit: Hit) -> None:
        """Stop the clock."""
        at = self._event.parameters.get("at")
        now = self._context.clock.now_ns() + hit.control.true.offset.ns
        hit.begin_ns = at.ns if isinstance(at, Instant) else now
        hit.setting = FrozenClock()
        hit.control.freeze(hit.begin_ns)


class Rate(Alter):
    """`clock.rate(rate)`: it goes on from where it is, so many times as fast."""

    def tell(self, hit: Hit) -> None:
        """Let it run at the rate; its beginning is that of the service's first process."""
        rate = float(cast("float", self._event.parameters["rate"]))
        hit.setting = ClockRate(rate=rate)
        hit.control.run_at(rate, age_of(self._context.engine.inspect(hit.container).id))


class Jump(Alter):
    """`clock.jump(offsets, every)`: one offset after another, again and again; each jump is read inside."""

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        super().__init__(event, context)
        self._offsets = cast("tuple[Duration, ...]", event.parameters["offsets"])
        self._every = cast("Duration", event.parameters["every"])
        self._thread: threading.Thread | None = None
        self._telling = threading.Lock()

    def tell(self, hit: Hit) -> None:
        """Take the first jump; a thread takes the others when they are due."""
        with self._telling:
            if self._ended.is_set():
                return
            hit.setting = hit.control.ahead(self._offsets[hit.jumps % len(self._offsets)].ns)
            hit.jumps += 1

    def inject(self) -> None:
        """Jump, and start the clockwork of the jumps that follow."""
        super().inject()
        self._thread = threading.Thread(target=self._go_on, name="jumps", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        due = self._context.clock.monotonic()
        while True:
            due += self._every.seconds
            if self._ended.wait(max(0.0, due - self._context.clock.monotonic())):
                return
            for hit in self._hits:
                try:
                    self.tell(hit)
                    _, missed = self._look(hit)
                except (CleanroomError, OSError) as err:
                    missed = str(err).splitlines()[0]
                if self._ended.is_set():
                    return
                if missed:
                    hit.missed.append(f"jump {hit.jumps}: {missed}")
                else:
                    hit.matched += 1

    def revert(self) -> None:
        """End the jumps, then make the clocks true again."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT)
            self._thread = None
        with self._telling:
            super().revert()

    def verify_reversal(self) -> Evidence:
        """Say too how many jumps there were, and how many of those after the first were read inside."""
        found = super().verify_reversal()
        counts: dict[str, Json] = {f"{hit.name}.jumps": hit.jumps for hit in self._hits}
        counts |= {f"{hit.name}.jumps_read": hit.matched for hit in self._hits}
        return Evidence(holds=found.holds, facts={**found.facts, **counts}, reason=found.reason, lapsed=found.lapsed)


def opener(make: Callable[[FaultEvent, FaultContext], Alter]) -> Callable[[FaultEvent, FaultContext], Alter]:
    """Return what opens a fault of the family by its only rung."""

    def open_clock(event: FaultEvent, context: FaultContext) -> Alter:
        if event.fault.backend not in ("auto", RUNG):
            raise CapabilityError(
                f"{event.fault.kind} has no backend {event.fault.backend!r}", remedy=f"use auto or {RUNG}"
            )
        return make(event, context)

    return open_clock
