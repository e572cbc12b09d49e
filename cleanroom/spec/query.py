"""What can be asked of a service: a command, a request, SQL, Redis (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from cleanroom.spec.comparator import Comparator
from cleanroom.spec.source import NOWHERE, Position

if TYPE_CHECKING:
    from cleanroom.canonical import Json

NO_WORDS: Mapping[str, str] = MappingProxyType({})
Dialect: TypeAlias = Literal["postgresql", "mysql"]
Isolation: TypeAlias = Literal["", "read uncommitted", "read committed", "repeatable read", "serializable"]
Parameter: TypeAlias = bool | int | float | str | None
DIALECT_PORTS: Mapping[Dialect, int] = MappingProxyType({"postgresql": 5432, "mysql": 3306})
REDIS_PORT = 6379


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecAction:
    """`exec`: a command inside a service's container; text is run by `sh -c`."""

    service: str = ""
    """Empty where the service is implied (`ready`)."""
    command: tuple[str, ...]
    user: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: NO_WORDS)
    stdin: str | None = None
    working_dir: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAction:
    """`http`: a request to a service's port or to a `url`, made by the runner with a `traceparent` header."""

    service: str = ""
    """Empty when `url` says where to."""
    url: str = ""
    port: int = 80
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: NO_WORDS)
    query: Mapping[str, str] = field(default_factory=lambda: NO_WORDS)
    json: Json = None
    has_json: bool = False
    body: str | None = None
    form: Mapping[str, str] | None = None
    follow: bool = True
    tls_verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionExpect:
    """`expect` of one statement of a session; None means not judged."""

    rows: Comparator | None = None
    error_type: Comparator | None = None
    duration: Comparator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStep:
    """One statement of a session, and what it waits for before it is sent."""

    sql: str
    barrier: str = ""
    """Sent when every session that names this barrier has come to it."""
    after_session: str = ""
    after_step: int = 0
    """Sent when this statement (from 1) of `after_session` has ended; 0: waits for none."""
    expect: SessionExpect | None = None
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSession:
    """One of several connections whose statements interleave; `isolation` empty is the server's own default."""

    name: str
    isolation: Isolation = ""
    steps: tuple[SessionStep, ...]
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlAction:
    """`sql`: exactly one of a query, a file of statements, and several sessions."""

    service: str = ""
    """Empty where the service is implied (`ready`)."""
    dialect: Dialect = "postgresql"
    port: int = DIALECT_PORTS["postgresql"]
    database: str = ""
    user: str = ""
    password: str = ""
    query: str = ""
    file: str = ""
    sessions: tuple[SqlSession, ...] = ()
    parameters: tuple[Parameter, ...] | Mapping[str, Parameter] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAction:
    """`redis`: commands on one connection, in order; `service` is empty where it is implied (`ready`)."""

    service: str = ""
    port: int = REDIS_PORT
    commands: tuple[tuple[str, ...], ...]


Query: TypeAlias = ExecAction | HttpAction | SqlAction | RedisAction
"""A question whose answer is a value: what is printed, the body, the rows, the reply of the last command."""
