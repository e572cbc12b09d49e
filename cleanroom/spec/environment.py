"""What holds for one environment as a whole: limits, network, cleanup (spec.md, introduction)."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.quantity import Duration, Size

MTU = 1500
CLEANUP_TIMEOUT = Duration(30 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentLimits:
    """`limits` of one environment; None means unlimited, and exceeding one is a finding."""

    cpus: float | None = None
    memory: Size | None = None
    containers: int | None = None
    duration: Duration | None = None


@dataclass(frozen=True, slots=True, order=True)
class Outside:
    """A host and port beyond the environment."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """`network`; nothing leaves it except to what `allow` names."""

    mtu: int = MTU
    allow: tuple[Outside, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """`cleanup`: how long removing one environment may take."""

    timeout: Duration = CLEANUP_TIMEOUT
