"""What services use while a scenario plays, looked at ten times a second; only where a spec expects something of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cleanroom.engine.cgroup import Gauge, Usage
from cleanroom.engine.ports import ContainerState, Engine
from cleanroom.errors import EngineError
from cleanroom.run.record import ResourceRecord
from cleanroom.spec.suite import Suite

INTERVAL = 0.1
JOIN_TIMEOUT = 10.0


def wants_usage(suite: Suite) -> bool:
    """Whether the suite, or a scenario of it, expects something of what services use."""
    blocks = (suite.expect, *(scenario.expect for scenario in suite.scenarios))
    return any(block is not None and block.resources for block in blocks)


@dataclass(slots=True)
class _Tally:
    """One service: its gauge and what was seen, group by group (one for each start of its container)."""

    container: str
    gauge: Gauge | None
    missing: str = ""
    ready: int | None = None
    last: Usage | None = None
    alive: bool = True
    ended_cpu: int = 0
    peak_kernel: int = 0
    peak_seen: int = 0
    files: int | None = None
    groups: set[int] = field(default_factory=set)
    samples: int = 0
    oom: bool = False
    starts: int = 0
    """How often another group stood in its place."""
    ends: int = 0
    """How often a look found that it had ended, and how."""
    told_ends: int = 0
    """How often the engine told that it had ended; it tells of the kernel's kills too."""

    def add(self, usage: Usage) -> None:
        """Take one look into account."""
        if self.last is not None and usage.group != self.last.group:
            self.ended_cpu += self.last.cpu_ns or 0
            self.starts += 1
        self.groups.add(usage.group)
        self.samples += 1
        self.peak_kernel = max(self.peak_kernel, usage.peak or 0)
        self.peak_seen = max(self.peak_seen, usage.memory or 0)
        if usage.files is not None:
            self.files = max(self.files or 0, usage.files)
        self.oom = self.oom or usage.oom_kills > 0
        self.last, self.alive = usage, True

    def hear(self, event: str) -> None:
        """Take an event of the engine into account."""
        if event == "oom":
            self.oom = True
        elif event == "die":
            self.told_ends += 1

    def told(self) -> ResourceRecord:
        """Return what is known in the end."""
        if self.last is None:
            return ResourceRecord(missing=self.missing or "it ended before it was looked at")
        last = self.last
        # The kernel's peak is the whole truth only of a group that still stood at the end.
        whole = len(self.groups) == 1 and self.alive and last.peak is not None
        peak = max(self.peak_kernel, self.peak_seen)
        return ResourceRecord(
            memory_peak=None if last.memory is None and last.peak is None else peak,
            memory_peak_by="kernel" if whole else "samples",
            cpu_ns=None if last.cpu_ns is None else self.ended_cpu + last.cpu_ns,
            open_files=self.files,
            memory_ready=self.ready,
            memory_end=last.memory,
            oom_killed=self.oom,
            ends_unseen=max(0, self.starts - max(self.ends, self.told_ends)),
            samples=self.samples,
        )


@dataclass(slots=True)
class Late:
    """The gauge of a container that has not been started yet: its group comes with its first process."""

    inspect: Callable[[str], ContainerState]
    gauge: Callable[[ContainerState], Gauge | None]
    container: str
    _found: Gauge | None = None

    def read(self) -> Usage | None:
        """Return what it uses now; None while it does not run."""
        if self._found is None:
            try:
                self._found = self.gauge(self.inspect(self.container))
            except EngineError:
                return None
        return self._found.read() if self._found is not None else None


class UsageWatch:
    """Looks at services from when each is ready until `finish`, in a thread of its own."""

    def __init__(
        self,
        inspect: Callable[[str], ContainerState],
        gauge: Callable[[ContainerState], Gauge | None],
        follow: Callable[[str, Callable[[str], None]], Callable[[], None]],
    ) -> None:
        self._inspect = inspect
        self._follow = follow
        self._unfollow: list[Callable[[], None]] = []
        self._gauge = gauge
        self._tallies: dict[str, _Tally] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, service: str, container: str) -> None:
        """Look at a service that has just become ready, and go on doing so."""
        try:
            gauge = self._gauge(self._inspect(container))
            missing = "" if gauge is not None else "its control group cannot be seen from here"
        except EngineError as err:
            gauge, missing = None, err.message
        tally = _Tally(container, gauge, missing)
        # Without the engine's word an end that no look saw is told as unseen.
        with contextlib.suppress(EngineError):
            self._unfollow.append(self._follow(container, tally.hear))
        self._look(tally)
        tally.ready = tally.last.memory if tally.last is not None else None
        with self._lock:
            self._tallies[service] = tally
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="usage", daemon=True)
            self._thread.start()

    def replaced(self, service: str, container: str) -> None:
        """Go on with another container that stands in the place of a service's; it is a start of it."""
        with self._lock:
            tally = self._tallies.get(service)
        if tally is not None:
            tally.container, tally.gauge = container, Late(self._inspect, self._gauge, container)
            with contextlib.suppress(EngineError):
                self._unfollow.append(self._follow(container, tally.hear))

    def finish(self) -> dict[str, ResourceRecord]:
        """Look once more and return what each service used; the watch is over, and a second call says the same."""
        self._ended.set()
        while self._unfollow:
            self._unfollow.pop()()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT)
            self._thread = None
            for tally in self._tallies.values():
                self._look(tally)
        return {name: tally.told() for name, tally in sorted(self._tallies.items())}

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            with self._lock:
                tallies = tuple(self._tallies.values())
            for tally in tallies:
                self._look(tally)

    def _look(self, tally: _Tally) -> None:
        usage = tally.gauge.read() if tally.gauge is not None else None
        if usage is not None:
            tally.add(usage)
        elif tally.alive and tally.gauge is not None:
            try:
                state = self._inspect(tally.container)
            except EngineError:
                return
            # What runs again already has forgotten how it ended.
            if state.status != "running":
                tally.alive = False
                tally.ends += 1
                tally.oom = tally.oom or state.oom_killed


def usage_watch(engine: Engine, gauge: Callable[[ContainerState], Gauge | None], suite: Suite) -> UsageWatch | None:
    """Return the watch over a suite's services; None where no spec expects anything of it."""
    return UsageWatch(engine.inspect, gauge, engine.follow_events) if wants_usage(suite) else None
