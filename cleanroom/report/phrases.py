"""The sentences that several reports share; plain text, made safe by whoever prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cleanroom.canonical import Json
from cleanroom.report.model import COUNTS, Place
from cleanroom.run.record import FaultRecord, RecoveryRecord
from cleanroom.run.skipped import Skipped
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.validate.model import Finding, Gate

_LONG = 80
_MS = 10**6
_SECOND = 10**9
_MOST_NAMES = 5


def position(at: Position) -> str:
    """Return `file:line:column`, or the empty string where there is no position."""
    return "" if at == NOWHERE else str(at)


def counted(counts: Mapping[str, int]) -> str:
    """Return the figures of a run's checks; known failures only where there are some."""
    return ", ".join(f"{counts.get(name, 0)} {name}" for name in COUNTS if name != "known" or counts.get(name, 0))


def gate_line(gate: Gate) -> str:
    """Return a gate in one line: what was wanted, what came of it, and whether that is enough."""
    total = gate.passed + gate.failed + gate.not_judged
    found = f"{gate.passed} of {total} passed" if total else "no scenario to count"
    found += f", {gate.failed} failed" if gate.failed else ""
    found += f", {gate.not_judged} not judged" if gate.not_judged else ""
    found += f"; {gate.known} known not counted" if gate.known else ""
    return f"{gate.name}: {gate.state}: {gate.wanted}; {found}"


def skipped_line(skipped: Skipped) -> str:
    """Return in one line what did not run, and why."""
    names = [scenario.name for scenario in skipped.scenarios]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{skipped.suite} ({skipped.file}): {', '.join(names[:_MOST_NAMES])}{more}: {skipped.why}"


def brief(finding: Finding) -> str:
    """Return a finding in one sentence."""
    return f"expected {finding.expected}, found {finding.found}"


def describe_finding(finding: Finding) -> str:
    """Return everything a finding says, over several lines."""
    level = "" if finding.level == "error" else f" ({finding.level})"
    lines = [f"{finding.rule}{level}: {brief(finding)}"]
    lines += [f"  near miss: {miss}" for miss in finding.near_misses]
    lines += [f"  spans: {', '.join(finding.span_ids)}"] if finding.span_ids else []
    lines += [f"  what to do: {finding.remedy}"] if finding.remedy else []
    return "\n".join(lines)


def place_line(place: Place) -> str:
    """Return a trouble with where it struck and what to do."""
    trouble = place.trouble
    at = f"{trouble.at}: " if trouble.at != NOWHERE else ""
    where = f"{place.where}: " if place.where else ""
    remedy = f"\n  what to do: {trouble.remedy}" if trouble.remedy else ""
    return f"{at}{where}{trouble.message}{remedy}"


def fault_state(fault: FaultRecord) -> str:
    """Return how far a fault came, in one or two words."""
    if not fault.drawn:
        return "not drawn"
    if not fault.injected:
        return "not injected"
    if not fault.verified:
        return "not verified"
    return "verified" if fault.reverted else "verified, not reverted"


def fault_line(fault: FaultRecord) -> str:
    """Return a fault in one line: what, whom, by what means, whether it bit, and its evidence."""
    backend = f" by {fault.backend}" if fault.backend else ""
    text = f"{fault.kind} on {', '.join(fault.targets) or 'nothing'}{backend}: {fault_state(fault)}"
    text += f" ({fault.reason})" if fault.reason else ""
    text += f"; {facts(fault.evidence)}" if fault.evidence else ""
    return text + (f"; {recovery(fault.recovery)}" if fault.recovery is not None else "")


def recovery(record: RecoveryRecord) -> str:
    """Return how a service came back."""
    how = "recovered" if record.success else "did not recover"
    return f"{how} by {record.strategy} in {record.duration_ns / _SECOND:.3f} s"


def window(fault: FaultRecord) -> str:
    """Return how long a fault was in place; a dash where it never was, and open where it never ended."""
    start, end = fault.window
    if not start:
        return "-"
    return f"{(end - start) / _MS:.0f} ms" if end else "never ended"


def facts(evidence: Mapping[str, Json]) -> str:
    """Return measured facts as `name=value, …`, figures before long words: those may be cut."""
    told = [f"{name}={_fact(value)}" for name, value in evidence.items()]
    return ", ".join(sorted(told, key=lambda one: len(one) > _LONG))


def _fact(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
