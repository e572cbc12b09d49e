"""Findings and verdicts: what judging says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.errors import ExitCode
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.trace.divergence import Divergence
from cleanroom.validate.variation import Blame

VerdictWord: TypeAlias = Literal["pass", "fail", "inconclusive", "error"]
CheckWord: TypeAlias = Literal["pass", "fail", "known", "inconclusive"]
"""What became of one check; known: broken by a defect that the spec accepts."""
GateState: TypeAlias = Literal["met", "missed", "not judged"]
Reason: TypeAlias = Literal["failure", "inconclusive", "nondeterminism"]
"""What fails a run that could be judged: the words of the action's `fail-on`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One pass rate, judged; it counts scenarios, each once over all iterations, known failures apart."""

    name: str
    tag: str = ""
    wanted: str
    state: GateState
    passed: int = 0
    failed: int = 0
    not_judged: int = 0
    known: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken check."""

    rule: str
    """e.g. `spans.count`, `graph.edges`, `hermeticity.egress`, `step.exit_code`, `determinism.identical`."""
    level: Literal["error", "warning"] = "error"
    at: Position = NOWHERE
    expected: str
    found: str
    near_misses: tuple[str, ...] = ()
    span_ids: tuple[str, ...] = ()
    remedy: str = ""
    telemetry_missing: bool = False
    """No service span arrived at all though this expectation needs one (exit code 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was judged, broken or not: a JUnit case is made of it."""

    rule: str
    name: str
    """Readable and stable over runs, e.g. `spans "INSERT orders" count`."""
    at: Position = NOWHERE
    findings: tuple[Finding, ...] = ()
    inconclusive: str = ""
    """Why it could not be judged; empty when it was."""
    allowed: str = ""
    """The spec's `allow_inconclusive` reason: an inconclusive check that carries one is reported and does not count."""
    accepted: str = ""
    """The reason of the spec's `known_failure`: a broken check that carries one is reported and does not count."""
    note: str = ""
    """What a reader should know of a check that is not broken, e.g. that an optional step failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioVerdict:
    """One scenario of one iteration, judged."""

    name: str
    outcome: str
    checks: tuple[Check, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings in order of check."""
        return tuple(f for c in self.checks for f in c.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationDigests:
    """The three published parts of an iteration's digest and the digest over them (design section 7)."""

    digest: str
    trace: str
    schedule: str
    outcome: str
    rule_set: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationVerdict:
    """One iteration, judged and digested; `checks` are those of the suite's own `expect`."""

    index: int
    scenarios: tuple[ScenarioVerdict, ...] = ()
    checks: tuple[Check, ...] = ()
    digests: IterationDigests | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteVerdict:
    """One suite, judged over all its iterations."""

    name: str
    file: str
    verdict: VerdictWord
    exit_code: ExitCode
    required: bool = True
    """Whether the run fails when the suite does."""
    iterations: tuple[IterationVerdict, ...] = ()
    determinism: Check | None = None
    divergence: Divergence | None = None
    blames: tuple[Blame, ...] = ()
    """What differs from the control where something was varied, and whether that is why."""
    digest: str = ""
    """The one digest of all iterations when they are equal, else empty."""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """A whole run, judged; the exit code follows the precedence of spec.md section 6."""

    verdict: VerdictWord
    exit_code: ExitCode
    suites: tuple[SuiteVerdict, ...] = ()
    gates: tuple[Gate, ...] = ()
    reasons: tuple[Reason, ...] = ()
    """What fails it, where it could be judged."""
    digest: str = ""
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """passed, failed, known, inconclusive: numbers of checks over all suites, each once over all iterations."""
