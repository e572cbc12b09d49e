"""Scenarios and their steps (spec.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.service import EMPTY
from cleanroom.spec.source import NOWHERE, Position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.canonical import Json
    from cleanroom.spec.comparator import Comparator
    from cleanroom.spec.expect import Expect
    from cleanroom.spec.fault import Fault

STEP_TIMEOUT = Duration(30 * 10**9)
STEP_GRACE = Duration(2 * 10**9)
SCENARIO_TIMEOUT = Duration(60 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecAction:
    """`exec`: a command inside a service's container; text is run by `sh -c`."""

    service: str
    command: tuple[str, ...]
    user: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    stdin: str | None = None
    working_dir: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAction:
    """`http`: a request to a service's port, made by the runner with a `traceparent` header."""

    service: str
    port: int = 80
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    query: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    json: Json = None
    has_json: bool = False
    body: str | None = None
    form: Mapping[str, str] | None = None
    follow: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepAction:
    """`sleep`: wait for a duration."""

    duration: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectAction:
    """`inject`: start the fault declared with `at: manual` under this id."""

    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealAction:
    """`heal`: end the fault with this id."""

    fault: str


Action: TypeAlias = ExecAction | HttpAction | SleepAction | InjectAction | HealAction


@dataclass(frozen=True, slots=True, kw_only=True)
class StepExpect:
    """`expect` of a step; None means not judged. `json`/`headers` map a path or a name to a comparator."""

    exit_code: Comparator | None = None
    stdout: Comparator | None = None
    stderr: Comparator | None = None
    status: Comparator | None = None
    headers: Mapping[str, Comparator] = field(default_factory=lambda: MappingProxyType({}))
    body: Comparator | None = None
    json: Mapping[str, Comparator] = field(default_factory=lambda: MappingProxyType({}))
    error_type: Comparator | None = None
    duration: Comparator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a unique name within its scenario and exactly one action."""

    name: str
    action: Action
    timeout: Duration = STEP_TIMEOUT
    grace: Duration = STEP_GRACE
    expect: StepExpect | None = None
    allow: tuple[str, ...] = ()
    optional: bool = False
    continue_on_failure: bool = False
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Steps in order, the faults that disturb them, and what must hold of the scenario's spans."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    timeout: Duration = SCENARIO_TIMEOUT
    steps: tuple[Step, ...] = ()
    chaos: tuple[Fault, ...] = ()
    expect: Expect | None = None
    allow_inconclusive: str = ""
    at: Position = field(default=NOWHERE, compare=False)
