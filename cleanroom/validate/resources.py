"""`expect.resources`: what services used (spec.md section 6). What could not be measured breaks, or is inconclusive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cleanroom.quantity import Duration, Size
from cleanroom.run.record import ResourceRecord, ServiceRecord
from cleanroom.spec.comparator import Comparator, equal_to, judge
from cleanroom.spec.resilience import ResourceExpectation
from cleanroom.validate import wording
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene

_NOT_MEASURED = "nothing was measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A figure of one service in one environment, with what a reader should know of it; or why there is none."""

    value: Size | Duration | int | bool | None = None
    words: str = ""
    missing: str = ""
    unsure: str = ""
    """Why it may be worse than it looks."""


def judge_resources(scene: Scene, expectations: Iterable[ResourceExpectation]) -> tuple[Check, ...]:
    """Judge each figure of each service, in every environment of the scene."""
    found: list[Check] = []
    for wanted in expectations:
        oom = None if wanted.oom_killed is None else equal_to(wanted.oom_killed)
        figures: tuple[tuple[str, Comparator | None, Callable[[ServiceRecord], _Reading]], ...] = (
            ("memory_peak", wanted.memory_peak, _memory_peak),
            ("cpu_time", wanted.cpu_time, _cpu_time),
            ("open_files", wanted.open_files, _open_files),
            ("growth", wanted.growth, _growth),
            ("restarts", wanted.restarts, _restarts),
            ("oom_killed", oom, _oom_killed),
        )
        found += [_check(scene, wanted, (name, c), read) for name, c, read in figures if c is not None]
    return tuple(found)


def _check(
    scene: Scene,
    wanted: ResourceExpectation,
    figure: tuple[str, Comparator],
    read: Callable[[ServiceRecord], _Reading],
) -> Check:
    name, comparator = figure
    readings = [
        (record.name, read(service))
        for record in (scene.scenarios[:1] if scene.shared else scene.scenarios)
        for service in record.services
        if service.name == wanted.service
    ]
    several = len(readings) > 1
    broken = [
        (f"scenario {scenario}: " if several else "") + (reading.missing or reading.words)
        for scenario, reading in readings
        if reading.missing or not judge(comparator, reading.value).holds
    ]
    if not readings:
        broken = [f"there is no record of service {wanted.service}"]
    findings: tuple[Finding, ...] = ()
    if broken:
        findings = (
            Finding(
                rule=f"resources.{name}",
                level=wanted.level,
                at=wanted.at,
                expected=wording.wanted(f"{name} of {wanted.service}", comparator),
                found=wording.listing(broken),
            ),
        )
    unsure = "" if broken else "; ".join(reading.unsure for _, reading in readings if reading.unsure)
    return Check(
        rule=f"resources.{name}",
        name=f"resources {f'{wanted.id} ' if wanted.id else ''}{wanted.service} {name}",
        at=wanted.at,
        findings=findings,
        inconclusive=unsure,
        note="; ".join(reading.words for _, reading in readings if reading.words),
    )


def _used(service: ServiceRecord) -> ResourceRecord:
    return service.resources or ResourceRecord(missing=_NOT_MEASURED)


def _memory_peak(service: ServiceRecord) -> _Reading:
    used = _used(service)
    if used.memory_peak is None:
        return _Reading(missing=_why(used))
    by = "by the kernel" if used.memory_peak_by == "kernel" else f"as seen in {wording.plural(used.samples, 'look')}"
    return _Reading(value=Size(used.memory_peak), words=f"{used.memory_peak} bytes, {by}")


def _cpu_time(service: ServiceRecord) -> _Reading:
    used = _used(service)
    if used.cpu_ns is None:
        return _Reading(missing=_why(used))
    return _Reading(value=Duration(used.cpu_ns), words=str(Duration(used.cpu_ns)))


def _open_files(service: ServiceRecord) -> _Reading:
    used = _used(service)
    if used.open_files is None:
        return _Reading(missing=_why(used))
    return _Reading(value=used.open_files, words=f"{used.open_files} in {wording.plural(used.samples, 'look')}")


def _growth(service: ServiceRecord) -> _Reading:
    used = _used(service)
    if used.growth is None:
        return _Reading(missing=_why(used))
    return _Reading(
        value=Size(used.growth), words=f"{used.growth} bytes, from {used.memory_ready} to {used.memory_end}"
    )


def _restarts(service: ServiceRecord) -> _Reading:
    return _Reading(value=service.restarts, words=str(service.restarts))


def _oom_killed(service: ServiceRecord) -> _Reading:
    used = _used(service)
    killed = service.oom_killed or used.oom_killed
    unsure = ""
    if not killed and used.missing:
        unsure = f"it was not watched: {used.missing}"
    elif not killed and used.ends_unseen:
        unsure = f"it was started again {used.ends_unseen} times, and nobody saw how it had ended"
    return _Reading(value=killed, words="true" if killed else "false", unsure=unsure)


def _why(used: ResourceRecord) -> str:
    return f"unknown: {used.missing or 'the machine does not let it be read'}"
