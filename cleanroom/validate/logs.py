"""`expect.logs`: what services wrote to their output and sent as log records (spec.md section 6).

A log is a line of the service's output (standard output and standard error) or a log record that it sent over OTLP;
what it writes to both counts twice. Of a record the lines of its body are searched, the first also with its severity
before it, and the lines of its `exception.*` attributes; however many of them have a match, it counts once.

How many there are is not always known: of a long output only the end is kept, and in a shared environment no line says
during which scenario it was written. Then every number that is possible is judged: the expectation holds, or is
broken, where all of them agree, and is inconclusive otherwise.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cleanroom.quantity import Duration
from cleanroom.run.record import ServiceRecord
from cleanroom.spec.comparator import Comparator, describe, judge
from cleanroom.spec.operand import Operand
from cleanroom.spec.signal import LogExpectation
from cleanroom.text import truncate
from cleanroom.trace.logs import LogRecord
from cleanroom.trace.model import AttributeValue
from cleanroom.validate import wording
from cleanroom.validate.evidence import pins_zero
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.sent import Period, undecodable

_MAX_SHOWN = 120
_VAST = 10**15
_EXCEPTION = ("exception.type", "exception.message", "exception.stacktrace")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The logs of one service, those that match, and how many more there may be beside `least`."""

    texts: tuple[str, ...]
    matching: tuple[str, ...]
    least: int
    most: int | None
    """None: nobody can say how many."""
    why: str = ""
    """Why the number is not known exactly."""


def judge_logs(scene: Scene, expectations: Iterable[LogExpectation]) -> tuple[Check, ...]:
    """Judge how many logs of each entry's service match; of a service without a log only an explicit 0 holds."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: LogExpectation) -> Check:
    name = f"logs {wanted.id or f'{wanted.service} /{truncate(wanted.matches, _MAX_SHOWN)}/'} count"
    findings = undecodable(scene.sent.logs, wanted.at, wanted.level)
    inconclusive = ""
    if not findings:
        found = _look(scene, wanted)
        verdicts = {judge(wanted.count, number).holds for number in _possible(wanted.count, found.least, found.most)}
        evidence = bool(found.texts) or found.most is None or pins_zero(wanted.count)
        if verdicts == {False} or not evidence:
            findings = (_finding(scene, wanted, found),)
        elif False in verdicts:
            inconclusive = f"{_number(found)}, and {describe(wanted.count)} was expected: {found.why}"
    return Check(rule="logs.count", name=name, at=wanted.at, findings=findings, inconclusive=inconclusive)


def _look(scene: Scene, wanted: LogExpectation) -> _Found:
    search = re.compile(wanted.matches).search
    outputs = _outputs(scene, wanted.service)
    lines = tuple(
        line for output in outputs for line in output.log.splitlines() if not output.log_unread and line.strip()
    )
    hits = tuple(line for line in lines if search(line))
    told = scene.service_names.get(wanted.service, wanted.service)
    mine = [r for r in scene.sent.logs.items if r.resource.service == told and scene.period.holds(r.moment_ns)]
    records = tuple(tuple(_lines(record)) for record in sorted(mine, key=_order))
    sent = tuple(next(line for line in record if search(line)) for record in records if any(map(search, record)))
    least, why = len(hits) + len(sent), ""
    most: int | None = least
    if scene.period != Period():
        least = len(sent)
        why = "the environment is shared, and no line of its output says during which scenario it was written"
    unread = [output for output in outputs if output.log_unread]
    if unread or (scene.scenarios and not outputs):
        most, why = None, f"the output of {wanted.service} could not be read"
    elif any(output.log_truncated for output in outputs):
        most, why = None, f"only the end of the output of {wanted.service} was kept"
    texts = (*lines, *(record[0] for record in records))
    return _Found(texts=texts, matching=(*sent, *hits), least=least, most=most, why=why)


def _outputs(scene: Scene, service: str) -> list[ServiceRecord]:
    """Return the records of a service, each container once: scenarios of a shared environment have the same."""
    found: dict[object, ServiceRecord] = {}
    for index, scenario in enumerate(scene.scenarios):
        for record in scenario.services:
            if record.name == service:
                found.setdefault(record.container if scenario.shared else (index, record.container), record)
    return list(found.values())


def _lines(record: LogRecord) -> Iterator[str]:
    body = "" if record.body is None else _text(record.body)
    first, *more = body.splitlines() or [""]
    yield f"{record.severity} {first}".strip()
    yield first
    yield from more
    for key in _EXCEPTION:
        value = record.attributes.get(key)
        if isinstance(value, str):
            yield from value.splitlines()


def _text(value: AttributeValue) -> str:
    return value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)


def _plain(value: AttributeValue) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _order(record: LogRecord) -> tuple[int, str, str]:
    return record.moment_ns, record.severity, repr(record.body)


def _possible(comparator: Comparator, least: int, most: int | None) -> Iterator[int]:
    """Return numbers from `least` to `most` of which one meets the comparator, or breaks it, if any number does.

    Between two numbers that the comparator names its answer cannot change.
    """
    top = _VAST if most is None else most
    yield from {least, top}
    for name, operand in comparator.tests:
        for edge in _edges(name, operand):
            if math.isfinite(edge):
                yield from (n for n in range(math.floor(edge) - 1, math.ceil(edge) + 2) if least <= n <= top)


def _edges(name: str, operand: Operand) -> Iterator[float]:
    if name == "approx" and isinstance(operand, Mapping):
        (middle,) = _edges("eq", operand["value"])
        tolerance = operand["tolerance"]
        share = isinstance(tolerance, str)
        reach = abs(middle) * float(tolerance.rstrip("% ")) / 100 if share else next(_edges("eq", tolerance), 0.0)  # type: ignore[union-attr]  # share says so
        yield from (middle - reach, middle + reach)
    elif isinstance(operand, tuple):
        for item in operand:
            yield from _edges(name, item)
    elif isinstance(operand, int | float) and not isinstance(operand, bool | Duration):
        yield float(operand)


def _finding(scene: Scene, wanted: LogExpectation, found: _Found) -> Finding:
    shown = "" if not found.matching else ": " + wording.listing(_shown(line) for line in found.matching)
    nothing = "" if found.texts else f", and {wanted.service} has no log at all"
    return Finding(
        rule="logs.count",
        level=wanted.level,
        at=wanted.at,
        expected=wording.wanted(f"number of logs of {wanted.service} that match /{wanted.matches}/", wanted.count),
        found=f"{_number(found)} of {wording.plural(len(found.texts), 'log')}{nothing}{shown}",
        near_misses=() if found.matching else _near(scene, wanted, found),
    )


def _number(found: _Found) -> str:
    if found.most is None:
        return f"{found.least} or more"
    return str(found.least) if found.least == found.most else f"{found.least} to {found.most}"


def _near(scene: Scene, wanted: LogExpectation, found: _Found) -> tuple[str, ...]:
    """Return logs that match but for their case, services that have matches, or else the last logs."""
    search = re.compile(wanted.matches, re.IGNORECASE).search
    cased = [f"{_shown(text)} matches but for its case" for text in found.texts if search(text)]
    others = sorted({r.name for s in scene.scenarios for r in s.services} - {wanted.service})
    counts = {name: len(_look(scene, _of(wanted, name)).matching) for name in others}
    elsewhere = [f"service {name} has {wording.plural(count, 'match')}" for name, count in counts.items() if count]
    last = [f"the last log: {_shown(found.texts[-1])}"] if found.texts else []
    return tuple((cased or (elsewhere + last))[: wording.MAX_EXAMPLES])


def _of(wanted: LogExpectation, service: str) -> LogExpectation:
    return LogExpectation(service=service, matches=wanted.matches, count=wanted.count)


def _shown(line: str) -> str:
    return f'"{truncate(line, _MAX_SHOWN)}"'
