"""`expect.hermeticity`: egress by the network's record, leaks by inventories, the rest by spans (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from cleanroom.network.ports import Drop
from cleanroom.run.record import CleanupRecord, ScenarioRecord
from cleanroom.spec.comparator import describe
from cleanroom.spec.expect import HermeticityExpectation, Level
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.trace.model import Attributes, Resource, Span
from cleanroom.validate import wording
from cleanroom.validate.conditions import all_breach
from cleanroom.validate.evidence import remedy
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene


def judge_hermeticity(scene: Scene, wanted: HermeticityExpectation | None) -> tuple[Check, ...]:
    """Judge every key of `hermeticity` that the spec states."""
    if wanted is None:
        return ()
    checks: list[Check] = []
    if wanted.egress_none:
        checks.append(_egress(scene, wanted.at))
    if wanted.leaks_none:
        checks.append(_leaks(scene, wanted.at))
    if wanted.resource:
        checks.append(_of_spans(scene, wanted.at, "resource", lambda spans: _resource(spans, wanted)))
    if wanted.forbid_attributes:
        checks.append(_of_spans(scene, wanted.at, "forbid_attributes", lambda spans: _forbidden(spans, wanted)))
    if wanted.services_closed:
        checks.append(_of_spans(scene, wanted.at, "services", lambda spans: _undeclared(scene, spans, wanted.at)))
    return tuple(checks)


def egress_findings(records: Iterable[ScenarioRecord], rule: str, level: Level, at: Position) -> tuple[Finding, ...]:
    """Return one finding for each service (or address) that tried to get out, naming whereto and how often."""
    attempts: dict[str, dict[str, int]] = {}
    for record in _distinct(records):
        owners = {service.address: service.name for service in record.services if service.address}
        for drop in record.egress:
            who = f"address {drop.source}" if drop.source else "somebody whom the network's record does not name"
            who = f"service {owners[drop.source]}" if drop.source in owners else who
            tally = attempts.setdefault(who, {})
            tally[_whereto(drop)] = tally.get(_whereto(drop), 0) + drop.count
    return tuple(
        Finding(
            rule=rule,
            level=level,
            at=at,
            expected="no attempt to reach anything outside the environment",
            found=f"{who} tried to reach "
            + wording.listing(f"{place} ({wording.plural(count, 'time')})" for place, count in sorted(places.items())),
            remedy="nothing left the network; remove the call, or give the service what it wants inside",
        )
        for who, places in sorted(attempts.items())
    )


def left_behind(cleanup: CleanupRecord) -> tuple[str, ...]:
    """Return everything that a teardown left, each with what it is."""
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("container", cleanup.left.containers),
        ("network", cleanup.left.networks),
        ("volume", cleanup.left.volumes),
        ("process", cleanup.processes_left),
    )
    return tuple(f"{kind} {name}" for kind, names in kinds for name in names)


def _distinct(records: Iterable[ScenarioRecord]) -> tuple[ScenarioRecord, ...]:
    """Return the records but for repetitions: all scenarios of a shared environment carry what was dropped in it."""
    kept: list[ScenarioRecord] = []
    for record in records:
        if not (record.shared and any(k.shared and k.egress == record.egress for k in kept)):
            kept.append(record)
    return tuple(kept)


def _whereto(drop: Drop) -> str:
    if drop.via == "resolver":
        return f"the name {drop.name or '(unknown)'}"
    port = f" port {drop.port}" if drop.port else ""
    return f"{drop.destination or '(unknown)'} {drop.protocol}{port}"


def _egress(scene: Scene, at: Position) -> Check:
    findings = egress_findings(scene.scenarios, "hermeticity.egress", "error", at)
    if not findings and not any(record.services for record in scene.scenarios):
        # Nobody was there to try: that is no evidence.
        nothing = "no service ran, so nothing could have been tried"
        findings = (Finding(rule="hermeticity.egress", at=at, expected="services without egress", found=nothing),)
    return Check(rule="hermeticity.egress", name="hermeticity egress", at=at, findings=findings)


def _leaks(scene: Scene, at: Position) -> Check:
    cleanups = [record.cleanup for record in scene.scenarios]
    left = tuple(dict.fromkeys(item for cleanup in cleanups for item in left_behind(cleanup)))
    taken = [not cleanup.created.empty for cleanup in cleanups]
    found = ""
    if left:
        found = f"left behind: {wording.listing(left)}"
    elif not (any(taken) if scene.shared else taken and all(taken)):
        found = "no inventory of what was created was taken, so nothing is known of what is left"
    finding = Finding(rule="hermeticity.leaks", at=at, expected="nothing is left after teardown", found=found)
    return Check(rule="hermeticity.leaks", name="hermeticity leaks", at=at, findings=(finding,) if found else ())


def _of_spans(
    scene: Scene, at: Position, key: str, judge_spans: Callable[[tuple[Span, ...]], tuple[Finding, ...]]
) -> Check:
    rule = f"hermeticity.{key}"
    if scene.service_spans:
        findings = judge_spans(scene.service_spans)
    else:
        findings = (
            Finding(
                rule=rule,
                at=at,
                expected=f"service spans, to judge `{key}` on",
                found="no service span arrived",
                remedy=remedy(missing=True),
                telemetry_missing=True,
            ),
        )
    return Check(rule=rule, name=f"hermeticity {key}", at=at, findings=findings)


def _resource(spans: tuple[Span, ...], wanted: HermeticityExpectation) -> tuple[Finding, ...]:
    distinct: list[tuple[Resource, Span]] = []
    for span in spans:
        if not any(span.resource == resource for resource, _ in distinct):
            distinct.append((span.resource, span))
    broken = [(s, why) for resource, s in distinct if (why := all_breach(wanted.resource, resource.attributes))]
    if not broken:
        return ()
    terms = ", ".join(f"{key} {describe(comparator)}" for key, comparator in sorted(wanted.resource.items()))
    return (
        Finding(
            rule="hermeticity.resource",
            at=wanted.at,
            expected=f"every resource has {terms}",
            found=f"{len(broken)} of {wording.plural(len(distinct), 'resource')} break it: "
            + wording.listing(f"service {s.service or 'without a name'}: {why}" for s, why in broken),
            span_ids=wording.ids(s for s, _ in broken),
        ),
    )


def _forbidden(spans: tuple[Span, ...], wanted: HermeticityExpectation) -> tuple[Finding, ...]:
    def hits(attributes: Attributes) -> set[str]:
        globs = wanted.forbid_attributes
        return {key for key in attributes if any(key == glob or fnmatchcase(key, glob) for glob in globs)}

    broken: list[tuple[Span, list[str]]] = []
    for span in spans:
        parts = (span.attributes, *(e.attributes for e in span.events), *(li.attributes for li in span.links))
        keys = {key for attributes in parts for key in hits(attributes)}
        if keys:
            broken.append((span, sorted(keys)))
    if not broken:
        return ()
    return (
        Finding(
            rule="hermeticity.forbid_attributes",
            at=wanted.at,
            expected=f"no attribute {' or '.join(wanted.forbid_attributes)} on any service span, event or link",
            found=f"on {wording.plural(len(broken), 'span')}: "
            + wording.listing(f"{wording.label(span)}: {', '.join(keys)}" for span, keys in broken),
            span_ids=wording.ids(span for span, _ in broken),
        ),
    )


def _undeclared(scene: Scene, spans: tuple[Span, ...], at: Position = NOWHERE) -> tuple[Finding, ...]:
    strangers = tuple(span for span in spans if span.service not in scene.services)
    if not strangers:
        return ()
    found = sorted({span.service or "(no service.name)" for span in strangers})
    return (
        Finding(
            rule="hermeticity.services",
            at=at,
            expected=f"spans of the declared services only: {', '.join(scene.services) or 'none'}",
            found=f"{wording.plural(len(strangers), 'span')} of {wording.listing(found)}",
            span_ids=wording.ids(strangers),
        ),
    )
