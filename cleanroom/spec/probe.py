"""Probes: one question to the system under test, and the answer that is wanted (spec.md section 4).

Every question has a value, which `tolerance` judges. In `ready` the service is implied: `service` is empty there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.selector import Selector
from cleanroom.spec.source import NOWHERE, Position

if TYPE_CHECKING:
    from cleanroom.spec.query import Query

PROBE_TIMEOUT = Duration(2 * 10**9)
PROBE_INTERVAL = Duration(100 * 10**6)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe:
    """A TCP connection to `port` succeeds; its value is whether it does."""

    service: str = ""
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """A request is answered with `status` (None: below 400); its value is the body, parsed where it is JSON."""

    request: HttpAction
    status: Comparator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProbe:
    """The regular expression `matches` is found in the service's output; its value is in how many lines."""

    service: str = ""
    matches: str
    count: Comparator | None = None
    """None is `{gte: 1}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitProbe:
    """The container has ended with `code` (a one-shot service)."""

    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthcheckProbe:
    """The health check of the service's image reports healthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanProbe:
    """A span that the selectors select has arrived; its value is how many have."""

    selector: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerProbe:
    """What the engine says of the service's container, judged by `wanted`."""

    service: str = ""
    what: Literal["state", "health", "restarts", "oom_killed", "exit_code"]
    wanted: Comparator


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupProbe:
    """What the kernel says of the service's control group, judged by `wanted`."""

    service: str = ""
    what: Literal["throttled", "memory_peak", "memory_current", "oom_kill", "pids"]
    wanted: Comparator


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProbe:
    """A file inside the service's container: whether it exists, its digest or its size, judged by `wanted`."""

    service: str = ""
    path: str
    what: Literal["exists", "sha256", "size"]
    wanted: Comparator


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockProbe:
    """How far the service's clock is from the machine's, without sign, judged by `offset`."""

    service: str = ""
    offset: Comparator


Question: TypeAlias = (
    ExecAction | TcpProbe | HttpProbe | SqlAction | RedisAction | LogProbe | ContainerProbe | CgroupProbe | FileProbe
    | ClockProbe | SpanProbe | ExitProbe | HealthcheckProbe
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question and what its answer must be.

    `exec` must exit 0, `sql` and `redis` must not raise, the others say it in their own words; besides that,
    `tolerance` judges the value of the question.
    """

    question: Question
    tolerance: Comparator | None = None
    timeout: Duration = PROBE_TIMEOUT
    """Of one attempt."""
    interval: Duration = PROBE_INTERVAL
    """Between two attempts."""
    optional: bool = False
    at: Position = field(default=NOWHERE, compare=False)


def service_asked(question: Question | Query) -> str:
    """Return the service that a question names; empty where it is implied or where there is none."""
    if isinstance(question, HttpProbe):
        return question.request.service
    return "" if isinstance(question, SpanProbe | ExitProbe | HealthcheckProbe) else question.service


def port_asked(question: Question) -> int:
    """Return the port that a question connects to; 0 where it connects to none, or where a URL says it."""
    match question:
        case HttpProbe():
            return 0 if question.request.url else question.request.port
        case TcpProbe() | SqlAction() | RedisAction():
            return question.port
        case _:
            return 0
