"""Steps: one action each, and what must hold of its result (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.capture import Capture
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.probe import Probe
from cleanroom.spec.query import NO_WORDS, ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.retry import Retry
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.spec.workload import Workload

STEP_TIMEOUT = Duration(30 * 10**9)
STEP_GRACE = Duration(2 * 10**9)
_NO_COMPARATORS: Mapping[str, Comparator] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAction:
    """`run`: a one-shot container on the environment's network, from an image or from a service's own."""

    image: str = ""
    service: str = ""
    command: tuple[str, ...] | None = None
    """None: the image's own."""
    env: Mapping[str, str] = field(default_factory=lambda: NO_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepAction:
    """`sleep`: wait for a duration."""

    duration: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForAction:
    """`wait_for`: ask until the answer is the wanted one."""

    probe: Probe
    """Its `interval` is the pause between two attempts."""
    timeout: Duration | None = None
    """How long to go on asking; None: as long as the step may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectAction:
    """`inject`: start the fault declared with `at: manual` under this id."""

    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealAction:
    """`heal`: end the fault with this id."""

    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelAction:
    """`parallel`: steps that begin together, on a barrier."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadAction:
    """`workload`: many operations by many workers."""

    workload: Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAction:
    """`snapshot`: keep the value of a question under an id, for invariants to compare later."""

    id: str
    of: Probe


Action: TypeAlias = (
    ExecAction | RunAction | HttpAction | SqlAction | RedisAction | SleepAction | WaitForAction | InjectAction
    | HealAction | ParallelAction | WorkloadAction | SnapshotAction
)  # fmt: skip
ACTIONS: Mapping[type, str] = MappingProxyType({
    ExecAction: "exec", RunAction: "run", HttpAction: "http", SqlAction: "sql", RedisAction: "redis",
    SleepAction: "sleep", WaitForAction: "wait_for", InjectAction: "inject", HealAction: "heal",
    ParallelAction: "parallel", WorkloadAction: "workload", SnapshotAction: "snapshot",
})  # fmt: skip
"""The key of each action in a spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepExpect:
    """`expect` of a step; None means not judged. `json`/`headers` map a path or a name to a comparator."""

    exit_code: Comparator | None = None
    stdout: Comparator | None = None
    stderr: Comparator | None = None
    status: Comparator | None = None
    headers: Mapping[str, Comparator] = field(default_factory=lambda: _NO_COMPARATORS)
    body: Comparator | None = None
    json: Mapping[str, Comparator] = field(default_factory=lambda: _NO_COMPARATORS)
    rows: Comparator | None = None
    error_type: Comparator | None = None
    duration: Comparator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a unique name within its scenario and exactly one action."""

    name: str
    action: Action
    timeout: Duration = STEP_TIMEOUT
    grace: Duration = STEP_GRACE
    retry: Retry | None = None
    capture: tuple[Capture, ...] = ()
    expect: StepExpect | None = None
    allow: tuple[str, ...] = ()
    optional: bool = False
    continue_on_failure: bool = False
    at: Position = field(default=NOWHERE, compare=False)

    @property
    def inner(self) -> tuple[Step, ...]:
        """The steps inside: of `parallel`, and the operations of a workload."""
        if isinstance(self.action, ParallelAction):
            return self.action.steps
        return tuple(o.step for o in self.action.workload.mix) if isinstance(self.action, WorkloadAction) else ()

    def walk(self) -> Iterator[Step]:
        """Yield this step and all those inside it, in the order of the file."""
        yield self
        for step in self.inner:
            yield from step.walk()
