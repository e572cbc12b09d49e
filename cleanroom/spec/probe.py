"""Probes: one question to the system under test, asked until it is answered as wanted (spec.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from cleanroom.spec.source import NOWHERE, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe:
    """A TCP connection to `port` succeeds."""

    port: int
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """A GET of `path` on `port` answers with `status`."""

    port: int
    path: str = "/"
    status: int = 200
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProbe:
    """The regular expression `matches` is found in the service's output."""

    matches: str
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecProbe:
    """The command exits 0 inside the service's container."""

    command: tuple[str, ...]
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitProbe:
    """The container has ended with `code` (a one-shot service)."""

    code: int = 0
    at: Position = field(default=NOWHERE, compare=False)


Ready: TypeAlias = TcpProbe | HttpProbe | LogProbe | ExecProbe | ExitProbe
