"""`expect.metrics`: what the metrics of services came to (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from cleanroom.spec.comparator import describe, judge
from cleanroom.spec.signal import MetricExpectation
from cleanroom.validate import wording
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.sent import undecodable
from cleanroom.validate.series import Reading, Series, readings, series_of

_NOTHING_SENT = (
    "no metric arrived at all: see that the program records metrics, exports them to OTEL_EXPORTER_OTLP_ENDPOINT, and "
    "that its SDK flushes on SIGTERM within `stop_grace`"
)


def judge_metrics(scene: Scene, expectations: Iterable[MetricExpectation]) -> tuple[Check, ...]:
    """Judge each entry on every series that it selects; a metric that nobody sent breaks it, also where 0 is wanted."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: MetricExpectation) -> Check:
    received = scene.sent.metrics
    findings = undecodable(received, wanted.at, wanted.level)
    if not findings:
        every = series_of(metric for metric in received.items if metric.name == wanted.name)
        read = [(series, readings(series, scene.period)) for series in every]
        selected = [(series, found) for series, found in read if found and not _lost(wanted, series)]
        findings = _values(wanted, selected) if selected else (_nothing(scene, wanted, every),)
    subject = wanted.id or f'"{wanted.name}"' + "".join(f" {words}" for words in _where(wanted))
    return Check(rule="metrics.value", name=f"metrics {subject} value", at=wanted.at, findings=findings)


def _lost(wanted: MetricExpectation, series: Series) -> str:
    """Return the selectors that a series does not meet, or the empty string."""
    attributes = series.attributes
    return ", ".join(
        f"where {key} {describe(comparator)}"
        for key, comparator in sorted(wanted.where.items())
        if not judge(comparator, attributes.get(key), present=key in attributes).holds
    )


def _values(wanted: MetricExpectation, selected: list[tuple[Series, tuple[Reading, ...]]]) -> tuple[Finding, ...]:
    broken = [
        (series, reason)
        for series, found in selected
        if (reason := next((words for reading in found if (words := _breach(wanted, reading))), ""))
    ]
    if not broken:
        return ()
    found = wording.listing(f"{series.label}: {reason}" for series, reason in broken)
    return (
        Finding(
            rule="metrics.value",
            level=wanted.level,
            at=wanted.at,
            expected=wording.wanted(f'of every selected series of "{wanted.name}" {_noun(selected)}', wanted.value),
            found=f"{len(broken)} of {len(selected)} series break{'s' if len(broken) == 1 else ''} it: {found}",
        ),
    )


def _breach(wanted: MetricExpectation, reading: Reading) -> str:
    return reading.reason if reading.value is None else judge(wanted.value, reading.value).reason


def _noun(selected: list[tuple[Series, tuple[Reading, ...]]]) -> str:
    kinds = {series.head.kind for series, _ in selected}
    return "the value" if kinds <= {"gauge", "sum"} else "the mean"


def _nothing(scene: Scene, wanted: MetricExpectation, every: tuple[Series, ...]) -> Finding:
    names = sorted({metric.name for metric in scene.sent.metrics.items})
    if every:
        near = [f"{series.label}: {_lost(wanted, series) or 'no measurement in this scenario'}" for series in every]
        found = f"none of {len(every)} series of it is selected"
    elif wanted.name in names:
        near, found = [], "it was sent without a measurement"
    else:
        close = get_close_matches(wanted.name, names, n=wording.MAX_EXAMPLES, cutoff=0.4) or names
        near = [f'a metric is named "{name}"' for name in close]
        found = f"no such metric among {wording.plural(len(names), 'metric')}" if names else "no metric arrived"
    return Finding(
        rule="metrics.value",
        level=wanted.level,
        at=wanted.at,
        expected=" ".join((f'at least one data point of "{wanted.name}"', *_where(wanted))),
        found=found,
        near_misses=tuple(near[: wording.MAX_EXAMPLES]),
        remedy="" if names else _NOTHING_SENT,
    )


def _where(wanted: MetricExpectation) -> tuple[str, ...]:
    return tuple(f"{key} {describe(comparator)}" for key, comparator in sorted(wanted.where.items()))
