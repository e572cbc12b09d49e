"""Contracts: the document that requests and answers must keep to (spec.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from cleanroom.spec.source import NOWHERE, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """`contracts`: an OpenAPI document (a path relative to the workspace root) and the services it describes."""

    openapi: str
    services: tuple[str, ...]
    at: Position = field(default=NOWHERE, compare=False)
