"""`expect.hermeticity`: egress by the network's record, leaks by inventories, the rest by spans (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from cleanroom.network.ports import Drop
from cleanroom.run.record import CleanupRecord, ScenarioRecord
from cleanroom.spec.comparator import describe
from cleanroom.spec.expect import HermeticityExpectation, Level, Pattern
from cleanroom.spec.problem import nearest
from cleanroom.spec.source import Position
from cleanroom.trace.model import Attributes, AttributeValue, Resource, Span
from cleanroom.validate import wording
from cleanroom.validate.evidence import remedy
from cleanroom.validate.index import matcher
from cleanroom.validate.judged import all_judged
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene

RESOURCE_REMEDY = "SDKs read OTEL_RESOURCE_ATTRIBUTES; `otel: {resource: …}` sets it for every service"


def judge_hermeticity(scene: Scene, wanted: HermeticityExpectation | None) -> tuple[Check, ...]:
    """Judge every key of `hermeticity` that the spec states."""
    if wanted is None:
        return ()
    checks: list[Check] = []
    if wanted.egress_none:
        checks.append(_egress(scene, wanted))
    if wanted.leaks_none:
        checks.append(_leaks(scene, wanted))
    if wanted.resource:
        checks.append(_of_spans(scene, wanted, "resource", _resource))
    if wanted.forbid_attributes:
        checks.append(_of_spans(scene, wanted, "forbid_attributes", _forbidden))
    if wanted.services_closed:
        checks.append(_of_spans(scene, wanted, "services", _undeclared))
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


def _check(wanted: HermeticityExpectation, key: str, findings: tuple[Finding, ...]) -> Check:
    name = f"hermeticity {wanted.id} {key}" if wanted.id else f"hermeticity {key}"
    return Check(rule=f"hermeticity.{key}", name=name, at=wanted.at, findings=findings)


def _egress(scene: Scene, wanted: HermeticityExpectation) -> Check:
    findings = egress_findings(scene.scenarios, "hermeticity.egress", wanted.level, wanted.at)
    if not findings and not any(record.services for record in scene.scenarios):
        # Nobody was there to try: that is no evidence.
        nothing = Finding(
            rule="hermeticity.egress",
            level=wanted.level,
            at=wanted.at,
            expected="services without egress",
            found="no service ran, so nothing could have been tried",
        )
        findings = (nothing,)
    return _check(wanted, "egress", findings)


def _leaks(scene: Scene, wanted: HermeticityExpectation) -> Check:
    cleanups = [record.cleanup for record in scene.scenarios]
    left = tuple(dict.fromkeys(item for cleanup in cleanups for item in left_behind(cleanup)))
    taken = [not cleanup.created.empty for cleanup in cleanups]
    found = ""
    if left:
        found = f"left behind: {wording.listing(left)}"
    elif not (any(taken) if scene.shared else taken and all(taken)):
        found = "no inventory of what was created was taken, so nothing is known of what is left"
    finding = Finding(
        rule="hermeticity.leaks",
        level=wanted.level,
        at=wanted.at,
        expected="nothing is left after teardown",
        found=found,
    )
    return _check(wanted, "leaks", (finding,) if found else ())


def _of_spans(
    scene: Scene,
    wanted: HermeticityExpectation,
    key: str,
    judge_spans: Callable[[Scene, HermeticityExpectation], tuple[Finding, ...]],
) -> Check:
    if scene.service_spans:
        return _check(wanted, key, judge_spans(scene, wanted))
    finding = Finding(
        rule=f"hermeticity.{key}",
        level=wanted.level,
        at=wanted.at,
        expected=f"service spans, to judge `{key}` on",
        found="no service span arrived",
        remedy=remedy(missing=True),
        telemetry_missing=True,
    )
    return _check(wanted, key, (finding,))


def _resources(spans: tuple[Span, ...]) -> tuple[tuple[Resource, Span], ...]:
    """Return every resource with the first of its spans; equal ones are one."""
    seen: dict[int, tuple[Resource, Span]] = {}
    for span in spans:
        if id(span.resource) not in seen:  # most spans share theirs
            seen[id(span.resource)] = (span.resource, span)
    distinct: dict[Hashable, tuple[Resource, Span]] = {}
    for resource, span in seen.values():
        distinct.setdefault(_frozen(resource.attributes), (resource, span))
    return tuple(distinct.values())


def _frozen(value: AttributeValue | Attributes) -> Hashable:
    """Return a key that equal values share and others do not: true is not 1, and 1 is not 1.0."""
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(element)) for key, element in value.items())
    if isinstance(value, tuple):
        return tuple(map(_frozen, value))
    return (type(value), value)


def _resource(scene: Scene, wanted: HermeticityExpectation) -> tuple[Finding, ...]:
    distinct = _resources(scene.service_spans)
    breach = all_judged(wanted.resource).breach
    broken = [(s, why) for resource, s in distinct if (why := breach(resource.attributes))]
    if not broken:
        return ()
    terms = ", ".join(f"{key} {describe(comparator)}" for key, comparator in sorted(wanted.resource.items()))
    return (
        Finding(
            rule="hermeticity.resource",
            level=wanted.level,
            at=wanted.at,
            expected=f"every resource has {terms}",
            found=f"{len(broken)} of {wording.plural(len(distinct), 'resource')} break it: "
            + wording.listing(f"service {s.service or 'without a name'}: {why}" for s, why in broken),
            span_ids=wording.ids(s for s, _ in broken),
            remedy=RESOURCE_REMEDY,
        ),
    )


def _forbidden(scene: Scene, wanted: HermeticityExpectation) -> tuple[Finding, ...]:
    globs = tuple(matcher(Pattern(glob)) for glob in wanted.forbid_attributes)
    known: dict[str, bool] = {}

    def forbidden(key: str) -> bool:
        if key not in known:
            known[key] = any(names(key) for names in globs)
        return known[key]

    broken: list[tuple[Span, list[str]]] = []
    for span in scene.service_spans:
        parts = (span.attributes, *(e.attributes for e in span.events), *(li.attributes for li in span.links))
        keys = {key for attributes in parts for key in attributes if forbidden(key)}
        if keys:
            broken.append((span, sorted(keys)))
    if not broken:
        return ()
    told = (f"{wording.placed(scene, span)}: {', '.join(keys)}" for span, keys in broken)
    return (
        Finding(
            rule="hermeticity.forbid_attributes",
            level=wanted.level,
            at=wanted.at,
            expected=f"no attribute {' or '.join(wanted.forbid_attributes)} on any service span, event or link",
            found=f"on {wording.plural(len(broken), 'span')}: {wording.listing(told, len(broken))}",
            span_ids=wording.ids(span for span, _ in broken),
        ),
    )


def _undeclared(scene: Scene, wanted: HermeticityExpectation) -> tuple[Finding, ...]:
    strangers = tuple(span for span in scene.service_spans if span.service not in scene.services)
    if not strangers:
        return ()
    found = sorted({span.service for span in strangers})
    close = next((near for name in found if name and (near := nearest(name, scene.services))), "")
    return (
        Finding(
            rule="hermeticity.services",
            level=wanted.level,
            at=wanted.at,
            expected=f"spans of the declared services only: {', '.join(scene.services) or 'none'}",
            found=f"{wording.plural(len(strangers), 'span')} of "
            + wording.listing(name or "(no service.name)" for name in found),
            near_misses=tuple(wording.placed(scene, span) for span in strangers[: wording.MAX_EXAMPLES]),
            span_ids=wording.ids(strangers),
            remedy=_stranger_remedy(found, close),
        ),
    )


def _stranger_remedy(found: list[str], close: str) -> str:
    """Return how a program comes by a declared name."""
    if "" in found:
        return "a program without `service.name` reads OTEL_SERVICE_NAME, or must be told its name in its own code"
    near = f" (did it mean {close}?)" if close else ""
    return f"a program names itself so{near}: say it in the service's `telemetry: {{service_name: …}}`, or mend it"
