"""Volumes of a service (spec.md section 2, `volumes`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from cleanroom.spec.source import NOWHERE, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class BindVolume:
    """A copy of a file or folder of the repository; `source` is relative to the workspace root."""

    source: str
    target: str
    read_only: bool = True
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedVolume:
    """A volume that is empty when an environment begins; services that name the same one share it."""

    name: str
    target: str
    at: Position = field(default=NOWHERE, compare=False)


Volume: TypeAlias = BindVolume | NamedVolume
