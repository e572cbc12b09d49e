"""Whom a fault harmed: a service's spans, and steps and probes that asked it, in the fault's windows and before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from cleanroom.trace.model import StatusCode
from cleanroom.validate.occurrence import Window
from cleanroom.validate.resilience.samples import ASKING
from cleanroom.validate.scene import Scene
from cleanroom.validate.wording import plural

SLOWER: Final = 2.0
"""Spans of a name took longer when their median in the windows is so many times their median before them …"""
LONGER_NS: Final = 10 * 10**6
"""… and longer by at least this: less is a machine's own unrest."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that happened at a service: a span of it, or a step or probe that asked it (ns since the epoch)."""

    name: str
    start: int
    end: int
    failed: bool
    timed: bool
    """Whether its duration says how well the service did; a step may do anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What became of one service in the windows of one fault."""

    service: str
    seen: int
    """How many signs of it there are in the windows."""
    harm: str = ""
    """How it was harmed, in one line; empty: it was not."""


def impact_on(scene: Scene, service: str, windows: tuple[Window, ...]) -> Impact:
    """Return how `service` (a name of the spec) did in `windows`, beside how it did before the first of them."""
    begin = min((start for start, _ in windows), default=0)
    before: list[Sign] = []
    within: list[Sign] = []
    for sign in _signs(scene, service):
        if sign.end < begin:
            before.append(sign)
        elif any(sign.end >= start and (sign.start <= end or not end) for start, end in windows):
            within.append(sign)
    return Impact(service=service, seen=len(within), harm=_failures(before, within) or _slowness(before, within))


def _signs(scene: Scene, service: str) -> Iterator[Sign]:
    name = scene.service_names.get(service, service)
    for span in scene.service_spans:
        if span.service == name and not span.untimed:
            yield Sign(span.name, span.start_ns, span.end_ns, span.status is StatusCode.ERROR, timed=True)
    for record in scene.scenarios:
        for step in record.steps:
            if step.service == service and step.type in ASKING and step.outcome != "skipped":
                failed = step.outcome == "failed" or bool(step.error_type)
                yield Sign(f"step {step.name}", step.start_ns, step.end_ns, failed, timed=False)
        for steady in record.steady:
            for answer in steady.answers:
                if answer.service == service and answer.asked_ns:
                    yield Sign(answer.question, answer.asked_ns, answer.asked_ns, not answer.ok, timed=False)


def _failures(before: Iterable[Sign], within: Iterable[Sign]) -> str:
    """Return what failed in the windows, where more of it failed than before them."""
    inside, outside = tuple(within), tuple(before)
    failed = [sign for sign in inside if sign.failed]
    usual = sum(sign.failed for sign in outside) / len(outside) if outside else 0.0
    if not failed or len(failed) / len(inside) <= usual:
        return ""
    share = f", before it {sum(s.failed for s in outside)} of {len(outside)}" if outside else ""
    return f'{len(failed)} of {plural(len(inside), "sign")} of it failed{share}, the first "{failed[0].name}"'


def _slowness(before: Iterable[Sign], within: Iterable[Sign]) -> str:
    """Return the first name, in order, whose spans took longer in the windows than before them."""
    usual = _durations(before)
    for name, found in sorted(_durations(within).items()):
        if name not in usual:
            continue
        was, now = median(usual[name]), median(found)
        if now >= SLOWER * was and now - was >= LONGER_NS:
            return f'"{name}" took {now / 10**6:.0f} ms, before it {was / 10**6:.0f} ms (medians)'
    return ""


def _durations(signs: Iterable[Sign]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for sign in signs:
        if sign.timed and not sign.failed:
            found.setdefault(sign.name, []).append(max(0, sign.end - sign.start))
    return found
