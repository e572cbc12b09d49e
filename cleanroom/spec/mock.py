"""Mocks: services that the runner itself plays (spec.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.source import NOWHERE, Position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.canonical import Json

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonBody:
    """A body that is sent as JSON."""

    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a mock answers; no body is an empty one, text is sent as it is."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    body: JsonBody | str | None = None
    delay: Duration = Duration(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a route is for: all that is given must fit."""

    method: str = ""
    """Empty: any."""
    path: Pattern | None = None
    headers: Mapping[str, Pattern] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Requests that fit `when` are answered with `sequence`, one after the other, and then with `reply`.

    Without `reply` the last of `sequence` is repeated. The first route that fits and whose share is drawn answers.
    """

    when: Match = field(default_factory=Match)
    reply: Reply | None = None
    sequence: tuple[Reply, ...] = ()
    percent: float = 100.0
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenapiMock:
    """Answers what an OpenAPI document describes; `openapi` is a path relative to the workspace root."""

    openapi: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutesMock:
    """Answers by its routes, in their order."""

    routes: tuple[Route, ...]
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteMock:
    """Answers what was recorded, or records it; `cassette` is a path relative to the workspace root."""

    cassette: str
    mode: Literal["replay", "record"] = "replay"
    hosts: tuple[str, ...] = ()


Mock: TypeAlias = OpenapiMock | RoutesMock | CassetteMock
