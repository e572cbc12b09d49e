"""What a person sees: lines while it runs (plain in CI, a live block on a terminal) and the result at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice

from cleanroom.report.beside import divergence_lines
from cleanroom.report.egress import attempts
from cleanroom.report.figures import drawn
from cleanroom.report.model import Pair, RunReport
from cleanroom.report.phrases import brief, counted, fault_line, gate_line, place_line, position, skipped_line
from cleanroom.report.surroundings import altered_clocks, clock_words, varied
from cleanroom.run.events import Event
from cleanroom.text import clean, one_line, relay
from cleanroom.validate.model import Check

_WIDTH = 200
_MOST_FINDINGS = 50
_MOST_DRAWINGS = 5
_MOST_CLOCKS = 20
_MOST_LIVE = 8
_MOST_SKIPPED = 20
_SECOND = 10**9
# Kinds whose beginning is worth a line where lines stay: the others are told once, when they end.
_TOLD_AT_START = frozenset({"phase", "suite", "iteration", "scenario", "fault", "warning"})


def event_line(event: Event) -> str:
    """Return an event as one line that is safe to print."""
    where = [event.suite] if event.suite else []
    where += [f"iteration {event.iteration + 1}"] if event.iteration is not None else []
    where += [event.scenario] if event.scenario else []
    # A phase that has nothing to add says its own name twice.
    told = event.text if event.text != event.subject else ""
    subject = f"{event.kind} {event.subject}{': ' if told else ''}" if event.subject else ""
    mark = {True: "ok   ", False: "FAIL ", None: ""}[event.ok]
    time = f" ({event.seconds:.2f} s)" if event.seconds is not None else ""
    place = f"[{' · '.join(where)}] " if where else ""
    warning = "warning: " if event.kind == "warning" else ""
    return relay(one_line(f"{place}{mark}{warning}{subject}{told}{time}", _WIDTH))


class PlainConsole:
    """Listens to a run and writes one line per event, for logs; safe to call from several threads."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write the event's line; the beginning of small things goes untold."""
        if event.seconds is None and event.ok is None and event.kind not in _TOLD_AT_START:
            return
        with self._lock:
            self._write(event_line(event) + "\n")

    def close(self) -> None:
        """Nothing is left open."""


class LiveConsole:
    """Listens to a run and keeps a block with one line for everything under way at the end of a terminal.

    What has ended moves above the block when it is worth keeping: phases, suites, iterations, whatever failed.
    """

    def __init__(self, write: Callable[[str], object], width: int = 100) -> None:
        self._write = write
        self._width = max(20, width)
        self._lock = threading.Lock()
        self._live: dict[tuple[str, str, int | None, str, str], str] = {}
        self._shown = 0

    def __call__(self, event: Event) -> None:
        """Redraw the block, and keep above it what ended and is worth keeping."""
        ended = event.seconds is not None or event.ok is not None
        subject = event.subject or event.text if event.kind == "phase" else event.subject
        key = (event.kind, event.suite, event.iteration, event.scenario, subject)
        with self._lock:
            kept = ""
            if ended:
                self._live.pop(key, None)
                kept = event_line(event) if event.ok is False or event.kind in {"phase", "suite", "iteration"} else ""
            elif event.kind in {"warning", "finished"}:
                kept = event_line(event)
            else:
                self._live[key] = event_line(event)
            self._draw(kept)

    def close(self) -> None:
        """Take the block away."""
        with self._lock:
            self._live.clear()
            self._draw("")

    def _draw(self, kept: str) -> None:
        back = f"\x1b[{self._shown}A\r\x1b[J" if self._shown else ""
        lines = [line[: self._width - 1] for line in list(self._live.values())[-_MOST_LIVE:]]
        hidden = len(self._live) - len(lines)
        lines += [f"… and {hidden} more"] if hidden else []
        above = [kept] if kept else []
        self._shown = len(lines)
        self._write(back + "".join(f"{line}\n" for line in [*above, *lines]))


def render_console(report: RunReport, directory: str = "") -> str:
    """Return the result as text for a terminal or a log: findings by position, what else happened, the verdict last."""
    lines: list[str] = []
    for pair in report.pairs:
        lines += _suite(pair)
    for attempt in attempts(report)[:10]:
        said = f"{attempt.service} → {attempt.whereto}, {attempt.count} times ({attempt.via})"
        lines.append(f"  egress   {one_line(f'{attempt.suite}: {said}')}")
    for problem in report.problems:
        lines.append(f"{problem.at} {problem.code} {one_line(problem.message, 500)}")
        lines += [f"    {line}" for line in clean(problem.excerpt).split("\n") if line]
        lines += [f"    {one_line(problem.suggestion)}"] if problem.suggestion else []
    for place in report.troubles:
        first, *rest = clean(place_line(place)).split("\n")
        lines += [f"error: {first}", *(f"  {line}" for line in rest)]
    skipped = report.session.skipped
    lines += [one_line(f"not run: {skipped_line(one)}", 500) for one in skipped[:_MOST_SKIPPED]]
    lines += [f"not run: {len(skipped) - _MOST_SKIPPED} more: see report.json"] if len(skipped) > _MOST_SKIPPED else []
    if report.empty:
        lines.append("nothing was run: no spec matched")
    return relay("\n".join([*lines, *_ending(report, directory)])) + "\n"


def _suite(pair: Pair) -> list[str]:
    verdict = pair.verdict
    word = verdict.verdict if verdict is not None else "error"
    count = max(len(pair.iterations), len(verdict.iterations) if verdict is not None else 0)
    weight = "" if pair.required else " (not required)"
    lines = [
        "",
        one_line(f"{pair.name} ({pair.file}): {word}{weight}, {len(pair.cases)} checks over {count} iterations"),
    ]
    findings = [line for case in pair.cases for line in _case([c for _, c in case.judged], case.scenario)]
    lines += findings[:_MOST_FINDINGS]
    lines += [f"  {len(findings) - _MOST_FINDINGS} more: see report.json"] if len(findings) > _MOST_FINDINGS else []
    lines += [
        f"  varied   iteration {one.iteration + 1}: {one_line(one.setting, 200)}: {one.result}" for one in varied(pair)
    ]
    first = [altered for altered in altered_clocks(pair) if altered.iteration == 0]
    lines += [
        f"  clock    {one_line(f'{a.scenario}, {a.service}, {clock_words(a.clock)}')}" for a in first[:_MOST_CLOCKS]
    ]
    if verdict is not None and verdict.divergence is not None:
        lines += [f"      {line}" for line in divergence_lines(verdict.divergence)]
    if verdict is not None and verdict.trouble:
        lines += [f"  trouble  {line}" for line in clean(verdict.trouble).split("\n")[:20]]
    told: dict[str, int] = {}
    for struck in pair.faults:
        line = one_line(f"{struck.fault.key} {fault_line(struck.fault)}", 300)
        told.setdefault(line, struck.iteration + 1)
    lines += [f"  fault    iteration {number}: {line}" for line, number in list(told.items())[:20]]
    lines += [f"  {line}".rstrip() for drawing in islice(drawn(pair), _MOST_DRAWINGS) for line in drawing.splitlines()]
    return lines


def _case(checks: list[Check], scenario: str) -> list[str]:
    """Each distinct finding of one check once, with how many iterations have it."""
    found: dict[str, int] = {}
    remedies: dict[str, str] = {}
    for check in checks:
        for finding in check.findings:
            level = "" if finding.level == "error" else f" {finding.level}:"
            at = position(finding.at) or "-"
            known = f" (known: {check.accepted})" if check.accepted else ""
            text = one_line(f"{at} {finding.rule}{level} {brief(finding)}{known}", 1000)
            found[text] = found.get(text, 0) + 1
            remedies[text] = finding.remedy
        if check.inconclusive:
            allowed = f" (allowed: {check.allowed})" if check.allowed else ""
            text = one_line(f"{position(check.at) or '-'} {check.rule} not judged: {check.inconclusive}{allowed}", 1000)
            found[text] = found.get(text, 0) + 1
    lines = []
    for text, count in found.items():
        share = f" [{count} of {len(checks)} iterations]" if len(checks) > 1 else ""
        lines.append(f"  {text}{share}" + (f" ({one_line(scenario)})" if scenario else ""))
        lines += [f"      what to do: {one_line(remedies[text], 500)}"] if remedies.get(text) else []
    return lines


def _ending(report: RunReport, directory: str) -> list[str]:
    verdict = report.verdict
    counts = counted(verdict.counts)
    seconds = max(0, report.ended_ns - report.started_ns) / _SECOND
    phases = ", ".join(f"{one_line(name)} {value:.1f} s" for name, value in report.session.timings.items())
    rows = [
        ("digest", verdict.digest),
        ("schedule", report.schedule_digest),
        ("seed", "" if report.seed is None else str(report.seed)),
        ("phases", phases),
        ("again", one_line(report.repro, 2000)),
        ("reports", one_line(directory, 1000)),
    ]
    return [
        "",
        *(f"{name:<9} {value}" for name, value in rows if value),
        *(f"{'example':<9} {one_line(line, 4000)}" for line in report.counterexamples),
        *(f"{'gate':<9} {one_line(gate_line(gate), 500)}" for gate in verdict.gates),
        f"{'verdict':<9} {verdict.verdict} (exit code {int(verdict.exit_code)}): {counts}, {seconds:.1f} s",
    ]
