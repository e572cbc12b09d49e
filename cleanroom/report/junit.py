"""`junit.xml`: a suite per spec file, a case per check over all iterations.

The cases are built with junit-xml, from cleaned text; properties of cases and times in a fixed format are ours, because
junit-xml can express neither, and so is the serialisation, because its own breaks on some text. Two levels only, one
result per case, `file` and `line` on each case: what the readers of these files agree on.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from junit_xml import TestCase, TestSuite

from cleanroom.report.figures import figure_properties
from cleanroom.report.model import Case, Pair, RunReport
from cleanroom.report.phrases import brief, describe_finding, fault_line, gate_line, place_line
from cleanroom.report.surroundings import altered_clocks, clock_words, varied
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.text import clean, one_line, truncate
from cleanroom.validate.model import Gate, GateState
from cleanroom.validate.verdict import is_broken, is_known

Result: TypeAlias = Literal["passed", "failure", "error", "skipped"]
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_BODY = 60_000
"""Characters of one result's text: readers cut at 64 KB, and a cut of ours says so."""
_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitCase:
    """One case as it will stand in the file; text still to be cleaned."""

    name: str
    classname: str
    at: Position = NOWHERE
    result: Result = "passed"
    kind: str = ""
    """The `type` of the failure or error: the rule, `inconclusive`, or an exit code's word."""
    message: str = ""
    body: str = ""
    note: str = ""
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitSuite:
    """One suite as it will stand in the file."""

    name: str
    file: str
    cases: tuple[JUnitCase, ...]
    start_ns: int = 0
    seconds: float = 0.0
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def render_junit(report: RunReport) -> str:
    """Return the JUnit XML of a run: well-formed whatever the text in it, and never green when the run is not."""
    return serialise(junit_suites(report))


def junit_suites(report: RunReport) -> tuple[JUnitSuite, ...]:
    """Return the suites; one called `cleanroom` carries what went wrong outside all of them."""
    suites = tuple(_suite(report, pair) for pair in report.pairs)
    outside = [
        _outside(place.trouble.exit_code, place_line(place), place.trouble.at)
        for place in report.troubles
        if not place.where
    ]
    outside += [
        JUnitCase(
            name=f"spec {problem.code} {problem.at}",
            classname="cleanroom.spec",
            at=problem.at,
            result="error",
            kind=problem.code,
            message=problem.message,
            body="\n".join(filter(None, (f"{problem.at}: {problem.message}", problem.suggestion, problem.excerpt))),
        )
        for problem in report.problems
    ]
    gates = [_gate(gate) for gate in report.verdict.gates]
    outside += gates
    suites = _with_skipped(suites, report)
    bad = any(case.result in {"failure", "error"} for suite in suites for case in suite.cases)
    bad = bad or any(case.result != "passed" for case in outside)
    if not suites and not outside:
        outside.append(_verdict_case(report, "nothing was run: no spec matched"))
    elif report.verdict.verdict != "pass" and not bad:
        outside.append(_verdict_case(report, f"the run's verdict is {report.verdict.verdict}"))
    whole = JUnitSuite(name="cleanroom", file="", start_ns=report.started_ns, cases=tuple(outside))
    return (*suites, whole) if outside else suites


def _gate(gate: Gate) -> JUnitCase:
    results: dict[GateState, Result] = {"met": "passed", "missed": "failure", "not judged": "error"}
    told = gate_line(gate)
    good = gate.state == "met"
    return JUnitCase(
        name=gate.name, classname="cleanroom.gates", result=results[gate.state],
        kind="gate" if gate.state == "missed" else "inconclusive",
        message="" if good else told, body="" if good else told, note=told if good else "",
    )  # fmt: skip


def _with_skipped(suites: tuple[JUnitSuite, ...], report: RunReport) -> tuple[JUnitSuite, ...]:
    """Add a skipped case for each scenario that did not run, to its suite's or to a suite of their own."""
    cases: dict[tuple[str, str], list[JUnitCase]] = {}
    for skipped in report.session.skipped:
        cases.setdefault((skipped.file, skipped.suite), []).extend(
            JUnitCase(
                name="the scenario ran", classname=f"{skipped.suite}.{scenario.name}",
                at=Position(skipped.file, 1, 1), result="skipped", kind=skipped.kind, message=f"not run: {skipped.why}",
            )
            for scenario in skipped.scenarios
        )  # fmt: skip
    found = [replace(suite, cases=(*suite.cases, *cases.pop((suite.file, suite.name), ()))) for suite in suites]
    found += [
        JUnitSuite(name=name, file=file, start_ns=report.started_ns, cases=tuple(of_suite))
        for (file, name), of_suite in cases.items()
    ]
    return tuple(found)


def serialise(suites: Iterable[JUnitSuite]) -> str:
    """Return suites as XML text with a declaration; cleans every string."""
    root = ET.Element("testsuites", {"name": "cleanroom"})
    totals: Counter[str] = Counter()
    seconds = 0.0
    for suite in suites:
        element = _element(suite)
        totals.update({key: int(element.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")})
        seconds += suite.seconds
        root.append(element)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(totals[key]))
    root.set("time", _seconds(seconds))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: RunReport, pair: Pair) -> JUnitSuite:
    cases = [_case(pair, case) for case in pair.cases]
    if not cases:
        # A suite without cases would look green.
        why = pair.verdict.trouble if pair.verdict is not None else ""
        cases = [
            JUnitCase(
                name="the suite was judged",
                classname=pair.name,
                at=Position(pair.file, 1, 1),
                result="error",
                kind="not judged",
                message=why or "nothing of this suite was judged",
            )
        ]
    cases += [
        _outside(place.trouble.exit_code, place_line(place), place.trouble.at, pair.name)
        for place in report.troubles
        if place.where == pair.name or place.where.startswith(f"{pair.name}, iteration ")
    ]
    if (
        pair.verdict is not None
        and pair.verdict.verdict != "pass"
        and all(c.result in {"passed", "skipped"} for c in cases)
    ):
        why = pair.verdict.trouble or f"the suite's verdict is {pair.verdict.verdict}"
        cases.append(
            JUnitCase(
                name="the suite's verdict", classname=pair.name, result="error", kind=pair.verdict.verdict, message=why
            )
        )
    start = min((i.start_ns for i in pair.iterations), default=report.started_ns)
    end = max((i.end_ns for i in pair.iterations), default=start)
    return JUnitSuite(
        name=pair.name,
        file=pair.file,
        cases=tuple(_numbered(cases)),
        start_ns=start,
        seconds=max(0, end - start) / _SECOND,
        properties=_properties(report, pair),
    )


def _case(pair: Pair, case: Case) -> JUnitCase:
    """One check over all iterations: broken in any iteration is a failure, not judged in any an error."""
    check = case.check
    broken = [(index, c) for index, c in case.judged if is_broken(c)]
    unjudged = [(index, c) for index, c in case.judged if c.inconclusive]
    still_open = [(index, c) for index, c in unjudged if not c.allowed]
    known = [(index, c) for index, c in case.judged if is_known(c)]
    lines = [
        f"iteration {index + 1}: {describe_finding(finding)}" for index, c in case.judged for finding in c.findings
    ] + [f"iteration {index + 1}: not judged: {c.inconclusive}" for index, c in unjudged]
    if check.rule.startswith("determinism."):
        lines = [line.removeprefix("iteration 1: ") for line in lines]
    result: Result = "failure" if broken else "error" if still_open else "skipped" if unjudged or known else "passed"
    message = ""
    if broken:
        first = next(f for f in broken[0][1].findings if f.level == "error")
        message = f"{brief(first)}{_share(len(broken), len(case.judged))}"
    elif unjudged:
        reason = (still_open or unjudged)[0][1]
        message = reason.inconclusive + (f" (allowed: {reason.allowed})" if not still_open else "")
        message += _share(len(unjudged), len(case.judged))
    elif known:
        message = f"known failure: {known[0][1].accepted}{_share(len(known), len(case.judged))}"
    where = f"{check.at}\n" if check.at != NOWHERE else ""
    notes = [f"iteration {index + 1}: {c.note}" for index, c in case.judged if c.note]
    return JUnitCase(
        name=check.name,
        classname=f"{pair.name}.{case.scenario}" if case.scenario else pair.name,
        at=check.at,
        result=result,
        kind="inconclusive" if result == "error" else "known_failure" if known and result == "skipped" else check.rule,
        message=message,
        body=where + "\n".join(lines) if result != "passed" else "",
        note="\n".join([*lines, *notes]) if result == "passed" else "\n".join(notes),
        properties={"rule": check.rule, "iterations": str(len(case.judged)), "broken": str(len(broken))},
    )


def _share(part: int, whole: int) -> str:
    return f" (in {part} of {whole} iterations)" if whole > 1 else ""


def _numbered(cases: Iterable[JUnitCase]) -> Iterable[JUnitCase]:
    """Readers take two cases of one class and name for two runs of one case: give the second a number."""
    seen: Counter[tuple[str, str]] = Counter()
    for case in cases:
        seen[case.classname, case.name] += 1
        number = seen[case.classname, case.name]
        yield case if number == 1 else replace(case, name=f"{case.name} ({number})")


def _outside(code: int, text: str, at: Position, classname: str = "cleanroom") -> JUnitCase:
    message = text.split("\n", 1)[0]
    return JUnitCase(
        name=one_line(f"trouble: {message}", 120),
        classname=classname,
        at=at,
        result="error",
        kind=f"exit code {code}",
        message=message,
        body=text,
    )


def _verdict_case(report: RunReport, message: str) -> JUnitCase:
    return JUnitCase(
        name="the run's verdict",
        classname="cleanroom",
        result="error",
        kind=f"exit code {int(report.verdict.exit_code)}",
        message=message,
    )


def _properties(report: RunReport, pair: Pair) -> dict[str, str]:
    plan = pair.record.plan if pair.record is not None else None
    found = {
        "cleanroom.version": report.version,
        "cleanroom.tier": pair.tier,
        "cleanroom.required": "" if pair.required else "false",
        "cleanroom.seed": str(plan.seed) if plan is not None else "",
        "cleanroom.schedule_digest": plan.schedule_digest if plan is not None else "",
        "cleanroom.digest": pair.verdict.digest if pair.verdict is not None else "",
        "cleanroom.repro": report.repro,
        "cleanroom.engine": " ".join(filter(None, (report.session.engine_mode, report.session.engine_version))),
    }
    for number, line in enumerate(report.counterexamples, start=1):
        found[f"cleanroom.counterexample.{number}"] = line
    for struck in pair.faults:
        fault = struck.fault
        key = f"cleanroom.fault.{struck.scenario}.{fault.key}.iteration-{struck.iteration + 1}"
        found[key] = fault_line(fault)
    found.update(figure_properties(pair))
    for altered in altered_clocks(pair):
        key = f"cleanroom.clock.{altered.scenario}.{altered.service}.iteration-{altered.iteration + 1}"
        found[key] = clock_words(altered.clock)
    for one in varied(pair):
        found[f"cleanroom.vary.iteration-{one.iteration + 1}"] = f"{one.setting}: {one.result}"
    return {key: value for key, value in found.items() if value}


def _element(suite: JUnitSuite) -> ET.Element:
    built = TestSuite(
        _name(suite.name),
        [_test_case(case) for case in suite.cases],
        file=_name(suite.file) or None,
        timestamp=datetime.fromtimestamp(suite.start_ns // _SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        properties={_name(key): one_line(value, 2000) for key, value in suite.properties.items()},
    )
    element: ET.Element = built.build_xml_doc()
    element.set("time", _seconds(suite.seconds))
    for case, found in zip(suite.cases, element.iter("testcase"), strict=True):
        # A check has no duration of its own; readers want the attribute all the same.
        found.set("time", _seconds(0.0))
        if case.properties:
            properties = ET.Element("properties")
            for key, value in case.properties.items():
                ET.SubElement(properties, "property", {"name": _name(key), "value": one_line(value, 2000)})
            found.insert(0, properties)
    return element


def _test_case(case: JUnitCase) -> TestCase:
    line = str(case.at.line) if case.at.line else None
    built = TestCase(
        _name(case.name) or "(no name)",
        classname=_name(case.classname) or "cleanroom",
        file=_name(case.at.file) or None,
        line=line,
        stdout=truncate(clean(case.note), _BODY) or None,
    )
    # junit-xml writes a failure that has neither message nor output as a pass.
    message = one_line(case.message, 1000) or case.result
    body = truncate(clean(case.body), _BODY) or message
    if case.result == "failure":
        built.add_failure_info(message, body, _name(case.kind))
    elif case.result == "error":
        built.add_error_info(message, body, _name(case.kind))
    elif case.result == "skipped":
        built.add_skipped_info(message, body)
    return built


def _name(text: str) -> str:
    """Names stay on one line and inside the Basic Multilingual Plane, where every reader can follow."""
    return _ASTRAL.sub("\ufffd", one_line(text, 500))


def _seconds(value: float) -> str:
    return f"{value:.3f}"
