"""A service of the system under test (spec.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cleanroom.quantity import Duration, Size
from cleanroom.spec.clock_setting import ClockSetting
from cleanroom.spec.mock import Mock
from cleanroom.spec.otel import OtlpProtocol
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.spec.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.probe import Probe

EMPTY: Mapping[str, str] = MappingProxyType({})

STOP_GRACE = Duration(2 * 10**9)
READY_TIMEOUT = Duration(30 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """`build:`: a context inside the repository (path relative to the workspace root) and how to build it."""

    context: str
    dockerfile: str = "Dockerfile"
    args: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`limits:` of one service, enforced by its cgroup; None means unlimited."""

    cpus: float | None = None
    memory: Size | None = None
    swap: Size | None = None
    pids: int | None = None
    nofile: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """`telemetry:`: whether the standard OTEL_* variables are injected, and with what."""

    inject: bool = True
    protocol: OtlpProtocol = "http/protobuf"
    service_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """`restart:`: the engine's own restart policy."""

    policy: Literal["no", "on-failure", "always"] = "no"
    max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service; exactly one of `image`, `build` and `mock` is set."""

    name: str
    image: str = ""
    build: Build | None = None
    mock: Mock | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    stop_signal: str = ""
    stop_grace: Duration = STOP_GRACE
    init: bool = True
    depends_on: tuple[str, ...] = ()
    ready: tuple[Probe, ...] = ()
    ready_timeout: Duration = READY_TIMEOUT
    tmpfs: Mapping[str, Size] = field(default_factory=lambda: MappingProxyType({}))
    volumes: tuple[Volume, ...] = ()
    files: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    limits: Limits = field(default_factory=Limits)
    capabilities: tuple[str, ...] | None = None
    """All that its processes may have, without the prefix CAP_; None is the engine's own set."""
    restart: Restart = field(default_factory=Restart)
    replicas: int = 1
    """More than one: containers `<name>-1` to `<name>-n`."""
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    telemetry: Telemetry = field(default_factory=Telemetry)
    clock: ClockSetting | None = None
    """None: the machine's time, or that of `determinism.freeze_clock`."""
    timezone: str = "UTC"
    at: Position = field(default=NOWHERE, compare=False)

    @property
    def containers(self) -> tuple[str, ...]:
        """The names of its containers, which are host names in the environment's network."""
        if self.replicas == 1:
            return (self.name,)
        return tuple(f"{self.name}-{number}" for number in range(1, self.replicas + 1))
