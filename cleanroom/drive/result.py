"""What an action did, before it is held against the step's `expect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cleanroom.canonical import Json
from cleanroom.spec.source import NOWHERE, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Something that an action judges itself, and that does not hold: of a statement of a session."""

    what: str
    expected: str
    found: str
    at: Position = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """Facts of one action; `error_type` is one of spec.md section 4, or empty; absent facts are None."""

    error_type: str = ""
    message: str = ""
    others: tuple[str, ...] = ()
    """The error types of what failed beside that: other sessions of the action."""
    breaches: tuple[Breach, ...] = ()
    exit_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Names in lower case."""
    body: str | None = None
    json: Json = None
    has_json: bool = False
    rows: tuple[Mapping[str, Json], ...] | None = None
    """What SQL answered, column → value; None: not asked."""
    value: Json = None
    """The answer as a probe's `tolerance`, a capture's JSON path and an invariant see it: what was printed, without
    the line feeds at its end; the body, parsed where it is JSON; the one value of the one row; the last reply."""
    noted: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    """More facts by name, for the report: nothing is judged by them."""
    truncated: tuple[str, ...] = ()
    """Which of `stdout`, `stderr`, `body` and `rows` are only the beginning of what there was."""
    killed: bool = False
    """SIGKILL was needed after the grace."""
    terminated_ns: int = 0
    """When SIGTERM was sent, counted from the action's begin; 0: never."""
    killed_ns: int = 0
    """When SIGKILL was first sent, counted from the action's begin; 0: never."""
    duration_ns: int = 0
