"""`expect.counts`: how many spans, errors and events, in all and by name, service or kind (spec.md section 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cleanroom.spec.comparator import judge
from cleanroom.spec.expect import CountExpectation, Pattern
from cleanroom.trace.model import Span, StatusCode
from cleanroom.validate import wording
from cleanroom.validate.evidence import pins_zero, remedy
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import named

OF_SPANS = frozenset({"spans", "by_name", "by_service", "by_kind"})


def judge_counts(scene: Scene, expectations: Iterable[CountExpectation]) -> tuple[Check, ...]:
    """Judge every figure of `counts` over the service spans (`by_name: cleanroom.…` over the runner's)."""
    return tuple(
        Check(rule=f"counts.{wanted.what}", name=_name(wanted), at=wanted.at, findings=_findings(scene, wanted))
        for wanted in expectations
    )


def figure(scene: Scene, wanted: CountExpectation) -> tuple[int, tuple[Span, ...]]:
    """Return the figure and the spans that it counts."""
    spans = scene.service_spans
    match wanted.what:
        case "errors":
            spans = tuple(s for s in spans if s.status is StatusCode.ERROR)
        case "events":
            spans = tuple(s for s in spans if s.events)
            return sum(len(s.events) for s in spans), spans
        case "by_name":
            spans = named(scene, Pattern(wanted.key))
        case "by_service":
            spans = scene.of_services.of(scene.of_services.shapes(service=Pattern(wanted.key)))
        case "by_kind":
            spans = tuple(s for s in spans if s.kind.value == wanted.key.lower())
        case "spans":
            pass
    return len(spans), spans


def _findings(scene: Scene, wanted: CountExpectation) -> tuple[Finding, ...]:
    number, counted = figure(scene, wanted)
    of_runner = wanted.what == "by_name" and Pattern(wanted.key).of_runner
    population = scene.runner_spans if of_runner else scene.service_spans
    # `errors: 0` of nothing is no evidence: only a zero of spans says something about an empty trace.
    evidence = bool(population) or (wanted.what in OF_SPANS and pins_zero(wanted.comparator))
    if evidence and judge(wanted.comparator, number).holds:
        return ()
    missing = not of_runner and not population
    nothing = ", of no spans at all" if not population else ""
    return (
        Finding(
            rule=f"counts.{wanted.what}",
            level=wanted.level,
            at=wanted.at,
            expected=wording.wanted(_noun(wanted), wanted.comparator),
            found=f"{number}{nothing}{_where(scene, wanted, counted)}",
            near_misses=_most_common(population, wanted) if not number else (),
            span_ids=wording.ids(counted),
            remedy=remedy(missing=missing),
            telemetry_missing=missing,
        ),
    )


def _where(scene: Scene, wanted: CountExpectation, counted: tuple[Span, ...]) -> str:
    """Return which spans have the errors or events that were counted."""
    if wanted.what not in {"errors", "events"} or not counted:
        return ""
    return ", on " + wording.listing((wording.placed(scene, span) for span in counted), len(counted))


def _most_common(population: tuple[Span, ...], wanted: CountExpectation) -> tuple[str, ...]:
    """Return the keys that there are, most frequent first."""
    if not wanted.what.startswith("by_"):
        return ()
    keys = {"by_name": lambda s: s.name, "by_service": lambda s: s.service, "by_kind": lambda s: s.kind.value}
    tally = Counter(keys[wanted.what](span) for span in population)
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))[: wording.MAX_EXAMPLES]
    return tuple(f'{wording.plural(n, "span")} of {wanted.what.removeprefix("by_")} "{key}"' for key, n in ranked)


def _noun(wanted: CountExpectation) -> str:
    if wanted.what.startswith("by_"):
        return f'number of spans of {wanted.what.removeprefix("by_")} "{wanted.key}"'
    return {"spans": "number of service spans", "errors": "number of error spans", "events": "number of events"}[
        wanted.what
    ]


def _name(wanted: CountExpectation) -> str:
    figure_of = f"{wanted.what}" + (f' "{wanted.key}"' if wanted.key else "")
    return f"counts {wanted.id} {figure_of}" if wanted.id else f"counts {figure_of}"
