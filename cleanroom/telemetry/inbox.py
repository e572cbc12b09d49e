"""Where arrived telemetry is kept: raw bytes, filed by the slot they came from, bounded in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from cleanroom.clock import Clock
from cleanroom.errors import TelemetryError
from cleanroom.telemetry.ports import Payload, Signal
from cleanroom.trace.model import Origin

ContentType: TypeAlias = Literal["application/x-protobuf", "application/json"]
Filing: TypeAlias = Literal["filed", "late", "marker", "full", "unknown"]
"""What became of a request; `full` and `unknown` were not kept, and the sender is told so."""

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
MARKER_LIMIT: Final = 4096
"""A marker is a single span; no larger body is searched for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One OTLP request, decompressed, not decoded."""

    signal: Signal
    content_type: ContentType
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests of one slot so far: `started` minus `finished` are being read or stored right now."""

    started: int = 0
    finished: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Bucket:
    payloads: list[Payload] = field(default_factory=list)
    size: int = 0
    late: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Slot:
    current: str = ""
    last: str = ""
    traffic: Traffic = field(default_factory=Traffic)
    markers: dict[bytes, bool] = field(default_factory=dict)


class Inbox:
    """Buckets of payloads by environment; safe to use from any thread.

    An environment may hold `max_bytes` of bodies; what comes after is refused, counted, and `check` raises.
    """

    def __init__(self, slots: tuple[int, ...], clock: Clock, max_bytes: int) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._slots: Mapping[int, _Slot] = {slot: _Slot() for slot in slots}
        self._buckets: dict[str, _Bucket] = {}
        self._runners: set[str] = set()
        self._opened: set[str] = set()

    def open(self, slot: int, environment: str) -> None:
        """File what arrives on `slot` under `environment`; raises `TelemetryError` for a busy slot or a used name."""
        with self._lock:
            state = self._slot(slot)
            if state.current:
                raise TelemetryError(
                    f"telemetry slot {slot} is still open for {state.current!r}, cannot open {environment!r}",
                    remedy="close the environment before the next one takes its slot",
                )
            if not environment or environment in self._opened:
                raise TelemetryError(
                    f"telemetry environment {environment!r} is empty or was opened before: its spans would be mixed",
                    remedy="give each environment a name of its own",
                )
            state.current = environment
            self._opened.add(environment)
            self._buckets.setdefault(environment, _Bucket())

    def admit_runner(self, environment: str) -> None:
        """Accept the runner's own spans for `environment` from now on."""
        with self._lock:
            self._runners.add(environment)
            self._buckets.setdefault(environment, _Bucket())

    def close(self, slot: int, environment: str) -> tuple[Payload, ...]:
        """End filing under `environment` and return all of it; raises `TelemetryError` when it is not open there."""
        with self._lock:
            state = self._slot(slot)
            if state.current != environment:
                raise TelemetryError(
                    f"telemetry slot {slot} is open for {state.current!r}, not for {environment!r}",
                    remedy="close each environment once, on the slot it was opened on",
                )
            state.current, state.last = "", environment
            return tuple(self._buckets[environment].payloads)

    def payloads(self, environment: str) -> tuple[Payload, ...]:
        """Return what was filed under `environment` so far, in order of arrival."""
        with self._lock:
            return tuple(self._bucket(environment).payloads)

    def late(self, environment: str) -> int:
        """Return how many requests came on the environment's slot between its end and the next one's start."""
        with self._lock:
            return self._bucket(environment).late

    def file_slot(self, slot: int, arrival: Arrival) -> Filing:
        """Keep one request that came in on `slot`."""
        with self._lock:
            state = self._slots.get(slot)
            if state is None or not (state.current or state.last or state.markers):
                return "unknown"
            if state.markers and len(arrival.body) <= MARKER_LIMIT:
                for token in state.markers:
                    if token in arrival.body:
                        state.markers[token] = True
                        return "marker"
            if state.current:
                return self._keep(state.current, Origin.SERVICE, arrival)
            if not state.last:
                return "unknown"
            self._buckets[state.last].late += 1
            return "late"

    def file_runner(self, environment: str, arrival: Arrival) -> Filing:
        """Keep one request of the runner's own exporter."""
        with self._lock:
            return self._keep(environment, Origin.RUNNER, arrival) if environment in self._runners else "unknown"

    def check(self, slot: int | None = None) -> None:
        """Raise `TelemetryError` when an environment (with `slot`: the one open there) sent more than may be held."""
        with self._lock:
            current = self._slot(slot).current if slot is not None else None
            for name, bucket in self._buckets.items():
                if current is not None and name != current:
                    continue
                if bucket.refused:
                    raise TelemetryError(
                        f"environment {name!r} sent more than {self._max_bytes} bytes of telemetry: "
                        f"{bucket.refused} request(s) after {bucket.size} bytes were not kept",
                        remedy="make the services send less (fewer spans, smaller attributes), or split the scenario",
                    )

    @contextmanager
    def receiving(self, slot: int) -> Iterator[None]:
        """Count a request of `slot` as under way while the block runs; an unknown slot is not counted."""
        self._count(slot, started=1)
        try:
            yield
        finally:
            self._count(slot, finished=1)

    def refuse(self, slot: int) -> None:
        """Count a request of `slot` that was not kept."""
        self._count(slot, refused=1)

    def traffic(self, slot: int) -> Traffic:
        """Return the counts of `slot`."""
        with self._lock:
            return self._slot(slot).traffic

    @contextmanager
    def marker(self, slot: int, token: bytes) -> Iterator[None]:
        """Take a request that contains `token` as the barrier's marker while the block runs: seen, never filed."""
        with self._lock:
            self._slot(slot).markers[token] = False
        try:
            yield
        finally:
            with self._lock:
                del self._slot(slot).markers[token]

    def marker_seen(self, slot: int, token: bytes) -> bool:
        """Whether the marker has arrived on `slot`."""
        with self._lock:
            return self._slot(slot).markers[token]

    def _keep(self, environment: str, origin: Origin, arrival: Arrival) -> Filing:
        bucket = self._buckets[environment]
        if bucket.size + len(arrival.body) > self._max_bytes:
            bucket.refused += 1
            return "full"
        bucket.size += len(arrival.body)
        bucket.payloads.append(
            Payload(
                environment=environment,
                origin=origin,
                signal=arrival.signal,
                content_type=arrival.content_type,
                body=arrival.body,
                received_ns=self._clock.now_ns(),
            )
        )
        return "filed"

    def _count(self, slot: int, *, started: int = 0, finished: int = 0, refused: int = 0) -> None:
        with self._lock:
            state = self._slots.get(slot)
            if state is not None:
                now = state.traffic
                state.traffic = Traffic(
                    started=now.started + started,
                    finished=now.finished + finished,
                    refused=now.refused + refused,
                )

    def _slot(self, slot: int) -> _Slot:
        state = self._slots.get(slot)
        if state is None:
            raise TelemetryError(
                f"there is no telemetry slot {slot}; this run has {sorted(self._slots)}",
                remedy="start telemetry with every slot the run uses",
            )
        return state

    def _bucket(self, environment: str) -> _Bucket:
        bucket = self._buckets.get(environment)
        if bucket is None:
            raise TelemetryError(
                f"telemetry environment {environment!r} was never opened",
                remedy="open the environment on its slot first",
            )
        return bucket
