"""What happened: the complete, immutable record of a run, from which everything is judged and reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.canonical import Json
from cleanroom.drive.answer import Answer
from cleanroom.drive.workload.operation import WorkloadRecord
from cleanroom.engine.ports import Inventory
from cleanroom.network.ports import Drop, Proof
from cleanroom.plan.model import Plan
from cleanroom.run.pass_rate import PassRate
from cleanroom.run.skipped import Skipped
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.telemetry.ports import Payload

StepOutcome: TypeAlias = Literal["passed", "failed", "skipped"]
Outcome: TypeAlias = Literal["passed", "degraded", "failed", "inconclusive", "error"]
NO_FACTS: Mapping[str, Json] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBreach:
    """One broken `expect` of a step: which key, what was wanted, what was found, where it stands."""

    what: str
    expected: str
    found: str
    at: Position = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step as it ran; times in nanoseconds since the epoch; output as text, bounded and safe to print."""

    name: str
    type: str
    service: str = ""
    outcome: StepOutcome
    reason: str = ""
    """Why it was skipped or failed, in one line."""
    error_type: str = ""
    """An error type of spec.md section 4, or empty."""
    exit_code: int | None = None
    status: int | None = None
    stdout: str = ""
    stderr: str = ""
    truncated: tuple[str, ...] = ()
    """Which of its outputs were cut where they came in: what is missing of them is nowhere."""
    breaches: tuple[StepBreach, ...] = ()
    attempts: int = 1
    optional: bool = False
    start_ns: int = 0
    end_ns: int = 0
    at: Position = NOWHERE

    @property
    def failed_as_said(self) -> bool:
        """Whether it met an error of the system's, and nothing that its `expect` says was broken."""
        ours = ("", "engine", "not_started")
        return self.outcome != "skipped" and self.error_type not in ours and not self.breaches


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRecord:
    """How a service came back: strategy policy, start, heal or failover; counted from the death for a kill."""

    strategy: Literal["policy", "start", "heal", "failover"]
    duration_ns: int
    success: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """One drawn occurrence of a fault as it went; `window` is (start, end) in ns, end 0 when it never ended."""

    id: str
    kind: str
    occurrence: int
    targets: tuple[str, ...]
    within: str = ""
    """The composite that it is a part of, `<id>#<occurrence>`, with those around it; empty for one of its own."""
    trigger: str = ""
    """What set it off, and when, where it waited for a probe."""
    backend: str = ""
    drawn: bool = True
    injected: bool = False
    verified: bool = False
    reverted: bool = False
    evidence: Mapping[str, Json] = field(default_factory=lambda: NO_FACTS)
    reversal: Mapping[str, Json] = field(default_factory=lambda: NO_FACTS)
    reason: str = ""
    """Why it was not injected, verified or reverted; empty when all is well."""
    window: tuple[int, int] = (0, 0)
    recovery: RecoveryRecord | None = None
    parameters: Mapping[str, Json] = field(default_factory=lambda: NO_FACTS)
    """As the plan has them: durations in ns, sizes in bytes."""
    at: Position = NOWHERE

    @property
    def key(self) -> str:
        """`<fault id>#<occurrence>`, after the composites around it: unique within a scenario."""
        own = f"{self.id}#{self.occurrence}"
        return f"{self.within}/{own}" if self.within else own


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRecord:
    """What one service used from when it was ready until it was asked to stop; sizes in bytes, None: not known."""

    memory_peak: int | None = None
    memory_peak_by: Literal["kernel", "samples"] = "samples"
    """Who kept the peak: the kernel, without a gap, or ten looks a second, which may have missed it."""
    cpu_ns: int | None = None
    open_files: int | None = None
    """The most that were seen open at once."""
    memory_ready: int | None = None
    memory_end: int | None = None
    """In use when it became ready and at the last look, without file cache that the kernel could drop at once."""
    oom_killed: bool = False
    """The kernel killed a process of it for its memory."""
    ends_unseen: int = 0
    """How often it was started again without anybody having seen how it had ended."""
    samples: int = 0
    missing: str = ""
    """Why nothing is known."""

    @property
    def growth(self) -> int | None:
        """By how much more memory was in use in the end than when it became ready; negative where it was less."""
        if self.memory_ready is None or self.memory_end is None:
            return None
        return self.memory_end - self.memory_ready


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRecord:
    """A wall clock that was altered, as it was measured from inside once its service was ready."""

    setting: Literal["frozen", "at", "offset", "rate"]
    asked: str
    """What it was set to, in words."""
    offset_ns: int = 0
    """How far it was ahead of the machine's."""
    slack_ns: int = 0
    """How exactly that is known."""
    rate: float = 1.0
    """How fast it ran; 0 for one that stood still."""

    @property
    def untimed(self) -> str:
        """Why nothing can be said of times by this clock; empty where the offset corrects them."""
        return {"frozen": "its clock was frozen", "rate": "the rate of its clock was changed"}.get(self.setting, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """One service of an environment: its address, image and how it began and ended."""

    name: str
    image: str
    address: str
    container: str
    hostname: str = ""
    ready_ms: float = 0.0
    exit_code: int | None = None
    oom_killed: bool = False
    ended_early: str = ""
    """What the container was before anybody asked it to stop, e.g. `exited` or `restarting`; empty: it ran."""
    restarts: int = 0
    """How often a restart policy had brought it back by then."""
    log: str = ""
    """The end of its output, bounded and safe to print."""
    log_truncated: bool = False
    clock: ClockRecord | None = None
    """None: it had the machine's own."""
    surroundings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What its process was found to have once it was ready (hostname, timezone, locale, cpus, started_at): only where
    the suite varies anything."""
    log_unread: bool = False
    """The output could not be read: `log` says why, and nothing can be concluded from it."""
    resources: ResourceRecord | None = None
    """What it used; None where no spec asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyRecord:
    """The probes of the steady state in one phase of a scenario; times in nanoseconds since the epoch."""

    phase: Literal["before", "during", "after"]
    rounds: int
    """How often all of them were asked."""
    failed_rounds: int = 0
    answers: tuple[Answer, ...] = ()
    """Of the first round, and of later ones those that failed, the first of them."""
    start_ns: int = 0
    end_ns: int = 0

    @property
    def broken(self) -> bool:
        """Whether a probe that is not optional did not hold."""
        return any(not a.ok and not a.optional for a in self.answers)

    @property
    def failed(self) -> int:
        """How many probes did not hold at some time."""
        return len({(a.question, a.at) for a in self.answers if not a.ok})


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """What a `snapshot` step found."""

    id: str
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderRecord:
    """What was asked for a `single_leader`: how often, and the rounds with the most leaders (at most 20 of them)."""

    rounds: int
    most: int = 0
    """The most leaders of any round."""
    led: int = 0
    """Rounds in which somebody led."""
    crowded: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """(when, who led) of rounds with more leaders than may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvariantRecord:
    """The raw answers that one invariant is judged by, in the order of its questions."""

    id: str
    of_suite: bool = False
    """It stands in the suite's own `expect`."""
    journal: str = ""
    """The journal that it names, as the run knew that name; empty: it names none."""
    answers: tuple[Answer, ...] = ()
    leaders: LeaderRecord | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether it is of what a workload acknowledged: of all kinds that name a journal, this one alone asks."""
        return bool(self.journal and self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupRecord:
    """What teardown found and took away, by inventories before and after."""

    trigger: Literal["normal", "failure", "timeout", "interrupt"] = "normal"
    created: Inventory = field(default_factory=Inventory)
    removed: Inventory = field(default_factory=Inventory)
    left: Inventory = field(default_factory=Inventory)
    processes_left: tuple[str, ...] = ()
    duration_ns: int = 0

    @property
    def success(self) -> bool:
        """Whether nothing is left."""
        return self.left.empty and not self.processes_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An error that kept something from being judged: exit code, message, remedy, where in the spec."""

    exit_code: int
    message: str
    remedy: str = ""
    at: Position = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyRecord:
    """What a property's examples came to; the scenario's steps are those of `example`, an object as JSON text."""

    example: str
    """The smallest example that fails, else the first that was tried."""
    broken: str
    """How it failed in the search; empty: every example held."""
    tried: int
    shrunk_out: bool = False
    """The time for shrinking was over before nothing smaller was left to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRecord:
    """One scenario of one iteration with its environment and all that arrived from it."""

    name: str
    outcome: Outcome
    steps: tuple[StepRecord, ...] = ()
    faults: tuple[FaultRecord, ...] = ()
    property: PropertyRecord | None = None
    """Of a scenario with a property: what its examples came to."""
    workloads: tuple[WorkloadRecord, ...] = ()
    """The journals of its workloads, in the order in which they ended; no two of one name."""
    steady: tuple[SteadyRecord, ...] = ()
    snapshots: tuple[SnapshotRecord, ...] = ()
    invariants: tuple[InvariantRecord, ...] = ()
    services: tuple[ServiceRecord, ...] = ()
    egress: tuple[Drop, ...] = ()
    cleanup: CleanupRecord = field(default_factory=CleanupRecord)
    payloads: tuple[Payload, ...] = ()
    """What the services sent, in order of arrival."""
    late: int = 0
    span_id: str = ""
    """Id of the `cleanroom.scenario` span."""
    trace_id: str = ""
    noise_traces: tuple[str, ...] = ()
    """Trace ids the runner issued for traffic whose amount depends on timing (readiness, probes)."""
    shared: bool = False
    """The environment is of all the iteration's scenarios (`environment: suite`), and so are payloads and drops."""
    start_ns: int = 0
    end_ns: int = 0
    trouble: Trouble | None = None
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Phase → seconds: start, steps, settle, stop, drain, cleanup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationRecord:
    """One iteration: its scenarios and the runner's own spans."""

    index: int
    """0-based."""
    slot: int
    scenarios: tuple[ScenarioRecord, ...] = ()
    runner_payloads: tuple[Payload, ...] = ()
    trouble: Trouble | None = None
    start_ns: int = 0
    end_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRecord:
    """One suite as it ran."""

    plan: Plan
    iterations: tuple[IterationRecord, ...] = ()
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A whole run: every suite, the proof of isolation and the figures of its phases."""

    suites: tuple[SuiteRecord, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    """What the specs hold and did not run, in order."""
    pass_rates: tuple[PassRate, ...] = ()
    """What was asked for as the least share of passing scenarios."""
    proof: Proof | None = None
    engine_mode: str = ""
    engine_version: str = ""
    privileges: str = ""
    """How the cell got its rights: `capabilities`, `privileged`, `namespaces`, or empty."""
    image_cache: str = ""
    """`off`, `cold`, `warm`, or why it could not be used."""
    cleanup: CleanupRecord = field(default_factory=CleanupRecord)
    trouble: Trouble | None = None
    interrupted: bool = False
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Phase → seconds: engine, images, network, proof, collector, iterations, judge, cleanup."""
