"""What an environment leaves behind when it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypedDict

from cleanroom.network.ports import Drop
from cleanroom.run.record import CleanupRecord, ServiceRecord, Trouble
from cleanroom.telemetry.ports import Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What an environment left behind: facts only."""

    services: tuple[ServiceRecord, ...] = ()
    egress: tuple[Drop, ...] = ()
    cleanup: CleanupRecord = field(default_factory=CleanupRecord)
    payloads: tuple[Payload, ...] = ()
    late: int = 0
    noise_traces: tuple[str, ...] = ()
    trouble: Trouble | None = None
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


class Before(TypedDict):
    """What was seen of a service before it was stopped: fields of its record."""

    ended_early: str
    restarts: int


UNSEEN: Final[Before] = {"ended_early": "", "restarts": 0}
