"""`expect.status`: the OTLP status of all service spans, or of those of a name (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.spec.comparator import judge
from cleanroom.spec.expect import SpanExpectation, StatusExpectation
from cleanroom.trace.model import StatusCode
from cleanroom.validate import wording
from cleanroom.validate.conditions import status_remedy
from cleanroom.validate.evidence import remedy
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import cause, missed, named, near_misses, select


def judge_status(scene: Scene, expectations: Iterable[StatusExpectation]) -> tuple[Check, ...]:
    """Judge `status.all` and every entry of `status.by_name`; the status of no span at all breaks."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: StatusExpectation) -> Check:
    rule = "status.all" if wanted.name is None else "status.by_name"
    subject = f"{wanted.id} " if wanted.id else ""
    name = f"status {subject}of all service spans" if wanted.name is None else f'status {subject}of "{wanted.name}"'
    return Check(rule=rule, name=name, at=wanted.at, findings=_findings(scene, wanted, rule))


def _findings(scene: Scene, wanted: StatusExpectation, rule: str) -> tuple[Finding, ...]:
    spans = scene.service_spans if wanted.name is None else named(scene, wanted.name)
    expected = wording.wanted("of every span the status", wanted.comparator)
    if not spans:
        of_runner = wanted.name is not None and wanted.name.of_runner
        missing = not of_runner and not scene.service_spans
        lookalike = SpanExpectation(name=wanted.name)
        selection = select(scene, lookalike)
        groups = missed(scene, lookalike, selection)
        return (
            Finding(
                rule=rule,
                level=wanted.level,
                at=wanted.at,
                expected=expected,
                found="no span to judge" if wanted.name is None else f'no span "{wanted.name}" to judge',
                near_misses=near_misses(lookalike, groups) if wanted.name else (),
                remedy=remedy(missing=missing) or cause(scene, lookalike, selection, groups),
                telemetry_missing=missing,
            ),
        )
    bad = {status for status in StatusCode if not judge(wanted.comparator, status.value).holds}
    broken = tuple(s for s in spans if s.status in bad)
    if not broken:
        return ()
    told = (
        f"{wording.placed(scene, s)}: {s.status.value}" + (f' "{s.status_message}"' if s.status_message else "")
        for s in broken
    )
    found = wording.listing(told, len(broken))
    return (
        Finding(
            rule=rule,
            level=wanted.level,
            at=wanted.at,
            expected=expected,
            found=f"{len(broken)} of {wording.plural(len(spans), 'span')} break it: {found}",
            span_ids=wording.ids(broken),
            remedy=next(
                filter(None, (status_remedy(wanted.comparator, s) for s in {s.status: s for s in broken}.values())), ""
            ),
        ),
    )
