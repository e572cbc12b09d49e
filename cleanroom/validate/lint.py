"""`expect.lint`: how well service spans keep OpenTelemetry's conventions, with one score (spec.md section 6).

The score is 100 times the weighted share of what is kept: of every rule that there was something to ask of, its weight
times the share of subjects that keep it, divided by the sum of those weights, rounded down. A rule that applies to
nothing has no say. So 100 means that nothing was found, and one bad span among a thousand costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from cleanroom.spec.signal import LintExpectation
from cleanroom.trace.model import Span
from cleanroom.validate import conventions, wording
from cleanroom.validate.conditions import ORPHAN_REMEDY
from cleanroom.validate.evidence import remedy
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene

CRITICAL, IMPORTANT, NORMAL, LOW = 40, 30, 20, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """One rule: what it is worth, what it wants in words, and what breaks it on a span."""

    rule: str
    weight: int
    wanted: str
    remedy: str
    breach: Callable[[Scene, Span], str | None]
    """Empty where the span keeps it, None where it has nothing to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one rule found: how many spans it was asked of, and those that break it with the reason."""

    convention: Convention
    asked: int
    broken: tuple[tuple[Span, str], ...]

    @property
    def lost(self) -> Fraction:
        """What it takes off, before it is divided by all weights."""
        return Fraction(self.convention.weight * len(self.broken), self.asked)


def _orphan_breach(scene: Scene, span: Span) -> str | None:
    if not span.parent_id:
        return None
    return "" if scene.parent(span) is not None else f"the parent {span.parent_id} never arrived"


CONVENTIONS = (
    Convention(
        rule="lint.service_name",
        weight=CRITICAL,
        wanted="a resource with a `service.name` of its own",
        remedy="set OTEL_SERVICE_NAME, or `service.name` in the program's resource",
        breach=lambda _, span: conventions.service_breach(span.service),
    ),
    Convention(
        rule="lint.name",
        weight=IMPORTANT,
        wanted="a name of which there are few: no id, number, address or query in it",
        remedy="name the span by its route or operation (`GET /orders/{id}`) and put the value into an attribute",
        breach=lambda _, span: conventions.name_breach(span.name),
    ),
    Convention(
        rule="lint.kind",
        weight=IMPORTANT,
        wanted="a kind",
        remedy="SDKs set `internal` by default: whoever builds the span by hand must say its kind",
        breach=lambda _, span: conventions.kind_breach(span),
    ),
    Convention(
        rule="lint.error_status",
        weight=IMPORTANT,
        wanted="the status error where an exception, an `error.type` or an HTTP status says that it failed",
        remedy="set the status to error where the exception is recorded",
        breach=lambda _, span: conventions.error_breach(span),
    ),
    Convention(
        rule="lint.orphan",
        weight=NORMAL,
        wanted="a parent that arrived, where there is a parent",
        remedy=ORPHAN_REMEDY,
        breach=_orphan_breach,
    ),
    Convention(
        rule="lint.times",
        weight=NORMAL,
        wanted="a start, and an end that is not before it",
        remedy="take the end from the same clock as the start, and a monotonic one",
        breach=lambda _, span: conventions.time_breach(span),
    ),
    Convention(
        rule="lint.attribute_name",
        weight=NORMAL,
        wanted="names of attributes in lower-case words, joined by `_`, in namespaces joined by `.`",
        remedy="rename them, e.g. `orderId` to `order.id`",
        breach=lambda _, span: conventions.attribute_breach(span),
    ),
    Convention(
        rule="lint.dropped",
        weight=NORMAL,
        wanted="nothing dropped by the limits of the SDK",
        remedy="raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT and its like, or send less",
        breach=lambda _, span: conventions.dropped_breach(span),
    ),
    Convention(
        rule="lint.scope",
        weight=LOW,
        wanted="an instrumentation scope with a name",
        remedy="ask for the tracer with the name of the library",
        breach=lambda _, span: "" if span.scope.name else "the scope has no name",
    ),
)
"""Every rule in the order of reports."""


def judge_lint(scene: Scene, wanted: LintExpectation | None) -> tuple[Check, ...]:
    """Judge the score of the service spans; no span at all has none. Every broken rule is told beside a low score."""
    if wanted is None:
        return ()
    name = f"lint {wanted.id}" if wanted.id else "lint score"
    if not scene.service_spans:
        finding = Finding(
            rule="lint.score",
            level=wanted.level,
            at=wanted.at,
            expected=f"a score of at least {wanted.min_score}",
            found="no service span arrived, so there is no score",
            remedy=remedy(missing=True),
            telemetry_missing=True,
        )
        return (Check(rule="lint.score", name=name, at=wanted.at, findings=(finding,)),)
    measured = measure(scene)
    reached = score(measured)
    worst = [m for m in sorted(measured, key=lambda m: (-m.lost, m.convention.rule)) if m.broken]
    told = f"score {reached} of 100" + (f": {_told(worst)}" if worst else "")
    if reached >= wanted.min_score:
        return (Check(rule="lint.score", name=name, at=wanted.at, note=told),)
    low = Finding(
        rule="lint.score",
        level=wanted.level,
        at=wanted.at,
        expected=f"a score of at least {wanted.min_score}",
        found=told,
        remedy=f"most is won by {worst[0].convention.rule}: {worst[0].convention.remedy}",
    )
    findings = (low, *(_finding(scene, wanted, m) for m in worst))
    return (Check(rule="lint.score", name=name, at=wanted.at, findings=findings),)


def measure(scene: Scene) -> tuple[Measured, ...]:
    """Ask every rule of every service span; rules that apply to none of them are left out."""
    found = []
    for convention in CONVENTIONS:
        asked = 0
        broken: list[tuple[Span, str]] = []
        for span in scene.service_spans:
            reason = convention.breach(scene, span)
            if reason is not None:
                asked += 1
                if reason:
                    broken.append((span, reason))
        if asked:
            found.append(Measured(convention=convention, asked=asked, broken=tuple(broken)))
    return tuple(found)


def score(measured: Iterable[Measured]) -> int:
    """Return the score: see the module's own words."""
    every = tuple(measured)
    whole = sum(m.convention.weight for m in every)
    return int(100 * (1 - sum((m.lost for m in every), Fraction(0)) / whole)) if whole else 0


def _told(worst: Iterable[Measured]) -> str:
    return wording.listing(f"{m.convention.rule} {len(m.broken)} of {m.asked}" for m in worst)


def _finding(scene: Scene, wanted: LintExpectation, measured: Measured) -> Finding:
    reasons: dict[str, Span] = {}  # one span for each different reason
    for span, reason in measured.broken:
        reasons.setdefault(reason, span)
    told = (f"{wording.placed(scene, span)}: {reason}" for reason, span in reasons.items())
    return Finding(
        rule=measured.convention.rule,
        level=wanted.level,
        at=wanted.at,
        expected=f"of every service span {measured.convention.wanted}",
        found=f"{len(measured.broken)} of {wording.plural(measured.asked, 'span')} break it, e.g. "
        + wording.listing(told, len(reasons)),
        span_ids=wording.ids(span for span, _ in measured.broken),
        remedy=measured.convention.remedy,
    )
