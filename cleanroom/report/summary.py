"""`summary.md`: the run for a person who opens the job, worst first, inside the runner's limit.

Source of the limit: a step summary over 1 MiB is dropped as a whole. Everything that is not ours is escaped: no service
name, output or finding can bring markup, a mention or HTML into the page.
"""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.report.beside import divergence_heads, divergence_rows
from cleanroom.report.egress import attempts
from cleanroom.report.figures import HEAD, drawn, figure_rows
from cleanroom.report.model import Case, Pair, Place, RunReport
from cleanroom.report.page import Page
from cleanroom.report.phrases import counted, facts, fault_state, position, recovery, window
from cleanroom.report.surroundings import altered_clocks, clock_words, varied
from cleanroom.text import clean, code_block, code_span, markdown, one_line, truncate
from cleanroom.trace.divergence import Divergence
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.verdict import check_word, is_broken

BUDGET = 900 * 1024
_WORST_FIRST = ("error", "fail", "inconclusive", "known", "pass")
_CELL = 300
_MOST_CASES = 100
_MOST_DRAWINGS = 10
_SECOND = 10**9


def render_summary(report: RunReport, budget: int = BUDGET) -> str:
    """Return the job summary as GitHub Flavored Markdown, at most `budget` bytes of UTF-8."""
    page = Page(budget)
    _head(page, report)
    _troubles(page, report)
    pairs = sorted(report.pairs, key=lambda pair: (_rank(pair), pair.file))
    _broken(page, pairs)
    _divergences(page, pairs)
    _suites(page, pairs)
    _gates(page, report)
    _skipped(page, report)
    _faults(page, pairs)
    _figures(page, pairs)
    _varied(page, pairs)
    _clocks(page, pairs)
    _egress(page, report)
    _isolation(page, report)
    _phases(page, report)
    _digests(page, pairs)
    return page.text()


def _head(page: Page, report: RunReport) -> None:
    verdict, session = report.verdict, report.session
    counts = counted(verdict.counts)
    page.add(f"## cleanroom: {verdict.verdict}\n\nExit code {int(verdict.exit_code)}; checks: {counts}.\n")
    if report.empty:
        page.add("**Nothing was run: no spec matched.**\n")
    rows = [
        ("seed", "" if report.seed is None else str(report.seed)),
        ("digest", verdict.digest or "none: the iterations have no one digest"),
        ("schedule digest", report.schedule_digest),
        ("engine", " ".join(filter(None, (session.engine_mode, session.engine_version, session.privileges)))),
        ("image cache", session.image_cache),
        ("time", f"{max(0, report.ended_ns - report.started_ns) / _SECOND:.1f} s"),
    ]
    page.table(("what", "value"), [(name, code_span(one_line(value, _CELL))) for name, value in rows if value])
    if report.repro:
        page.add(f"\nTo run it again:\n\n{code_block(one_line(report.repro, 2000), 'sh')}")
    for line in report.counterexamples:
        page.add(f"\nTo run a counterexample again:\n\n{code_block(one_line(line, 4000), 'sh')}")


def _troubles(page: Page, report: RunReport) -> None:
    if report.troubles:
        page.heading("What kept it from being judged")
    for number, place in enumerate(report.troubles):
        if not page.add(_trouble(place)):
            page.left_out(len(report.troubles) - number, "troubles")
            return
    if report.problems:
        page.heading("What is wrong with the specs")
    for number, problem in enumerate(report.problems):
        details = [f"expected {problem.expected}"] if problem.expected else []
        details += [f"got {problem.got}"] if problem.got else []
        details += [problem.suggestion] if problem.suggestion else []
        line = f"- {code_span(position(problem.at))} **{markdown(problem.message)}** {markdown('; '.join(details))}"
        if not page.add(line.rstrip()):
            page.left_out(len(report.problems) - number, "problems")
            return


def _trouble(place: Place) -> str:
    trouble = place.trouble
    where = " ".join(filter(None, (place.where, position(trouble.at))))
    first, _, rest = clean(trouble.message).partition("\n")
    parts = [f"- {f'{code_span(where)} ' if where else ''}**{markdown(truncate(first, 1000))}**"]
    if rest.strip():
        block = code_block(truncate(rest, 4000))
        parts.append("\n" + "\n".join(f"  {line}" for line in block.rstrip("\n").split("\n")) + "\n")
    parts += [f"  What to do: {markdown(trouble.remedy)}"] if trouble.remedy else []
    return "\n".join(parts)


def _broken(page: Page, pairs: Iterable[Pair]) -> None:
    cases = [(pair, case) for pair in pairs for case in pair.cases if any(_notable(c) for _, c in case.judged)]
    cases.sort(key=lambda item: min(_WORST_FIRST.index(check_word(c)) for _, c in item[1].judged))
    if not cases:
        return
    page.heading("Findings")
    for number, (pair, case) in enumerate(cases):
        if number >= _MOST_CASES or not page.add(_block(pair, case)):
            page.left_out(len(cases) - number, "checks with findings")
            return


def _notable(check: Check) -> bool:
    return bool(check.findings or check.inconclusive)


def _block(pair: Pair, case: Case) -> str:
    """One check: where, what, and each distinct finding with the iterations that have it."""
    words = [check_word(check) for _, check in case.judged]
    word = next(w for w in _WORST_FIRST if w in words)
    where = position(case.check.at) or pair.file
    scenario = f"{markdown(case.scenario)}: " if case.scenario else ""
    lines = [f"- {code_span(where)} {scenario}**{markdown(case.check.name)}** ({word})"]
    found: dict[str, list[int]] = {}
    for index, check in case.judged:
        for finding in check.findings:
            known = f" (known: {markdown(check.accepted)})" if check.accepted else ""
            found.setdefault(_finding(finding) + known, []).append(index + 1)
        if check.inconclusive:
            allowed = f" (allowed: {check.allowed})" if check.allowed else ""
            found.setdefault(f"not judged: {markdown(check.inconclusive + allowed)}", []).append(index + 1)
    for text, iterations in found.items():
        of = f"iteration {', '.join(map(str, iterations))}: " if len(case.judged) > 1 else ""
        lines.append(f"  - {of}{text}")
    return "\n".join(lines)


def _finding(finding: Finding) -> str:
    text = f"expected {code_span(truncate(finding.expected, 500))}, found {code_span(truncate(finding.found, 1500))}"
    text += "" if finding.level == "error" else f" ({finding.level})"
    text += f"; near misses: {markdown('; '.join(finding.near_misses[:5]))}" if finding.near_misses else ""
    return text + (f". What to do: {markdown(finding.remedy)}" if finding.remedy else "")


def _divergences(page: Page, pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        divergence = pair.verdict.divergence if pair.verdict is not None else None
        if divergence is None:
            continue
        at = code_span(divergence.path) + (f", {code_span(divergence.attribute)}" if divergence.attribute else "")
        page.heading(f"First difference between iterations: {markdown(pair.name)}")
        page.add(f"{divergence.classification} at {at}\n")
        page.table(("", *divergence_heads(divergence)), _beside(divergence))
        if divergence.proposal:
            page.add(f"\nIf it may differ: {code_span(f'normalize: {{{divergence.proposal}}}')}\n")
        elif divergence.obstacle:
            page.add(f"\nNo rule is proposed: {markdown(divergence.obstacle)}\n")


def _beside(divergence: Divergence) -> list[tuple[str, ...]]:
    """Return a row per line of both sides; what differs is marked."""
    return [
        (f"≠ {markdown(row.what)}" if row.differs else markdown(row.what), _value(row.left), _value(row.right))
        for row in divergence_rows(divergence)
    ]


def _value(text: str) -> str:
    return code_span(truncate(text or "nothing", 1500))


def _suites(page: Page, pairs: Iterable[Pair]) -> None:
    rows = []
    for pair in pairs:
        cases = pair.cases
        broken = sum(1 for case in cases if any(is_broken(check) for _, check in case.judged))
        verdict = pair.verdict.verdict if pair.verdict is not None else "error"
        rows.append(
            (
                markdown(pair.name),
                code_span(pair.file),
                verdict if pair.required else f"{verdict} (not required)",
                pair.tier,
                str(len(cases)),
                str(broken),
                str(len(pair.iterations)),
            )
        )
    if rows:
        page.heading("Suites")
        page.table(("suite", "file", "verdict", "tier", "checks", "broken", "iterations"), rows)


def _gates(page: Page, report: RunReport) -> None:
    rows = [
        (markdown(g.name), markdown(g.wanted), g.state, *(str(n) for n in (g.passed, g.failed, g.not_judged, g.known)))
        for g in report.verdict.gates
    ]
    if rows:
        page.heading("Gates")
        page.table(("gate", "wanted", "state", "passed", "failed", "not judged", "known"), rows)


def _skipped(page: Page, report: RunReport) -> None:
    rows = [
        (
            markdown(skipped.suite),
            code_span(skipped.file),
            markdown(one_line(", ".join(scenario.name for scenario in skipped.scenarios), _CELL)),
            markdown(skipped.why),
        )
        for skipped in report.session.skipped
    ]
    if rows:
        page.heading("Not run")
        page.table(("suite", "file", "scenarios", "why"), rows, most=100)


def _faults(page: Page, pairs: Iterable[Pair]) -> None:
    rows = [
        (
            f"{markdown(struck.scenario)} {struck.iteration + 1}",
            code_span(struck.fault.key),
            markdown(struck.fault.kind),
            markdown(", ".join(struck.fault.targets)),
            markdown(struck.fault.backend) or "-",
            markdown(fault_state(struck.fault)) + (f": {markdown(struck.fault.reason)}" if struck.fault.reason else ""),
            code_span(one_line(facts(struck.fault.evidence), _CELL)) if struck.fault.evidence else "-",
            window(struck.fault),
            markdown(recovery(struck.fault.recovery)) if struck.fault.recovery is not None else "-",
        )
        for pair in pairs
        for struck in pair.faults
    ]
    if rows:
        page.heading("Faults")
        head = ("scenario, iteration", "id", "fault", "target", "by", "effect", "evidence", "window", "recovery")
        page.table(head, rows)


def _figures(page: Page, pairs: Iterable[Pair]) -> None:
    rows = [tuple(markdown(cell) for cell in row) for pair in pairs for row in figure_rows(pair)]
    if rows:
        page.heading("Workloads")
        page.table(HEAD, rows, most=50)
    drawings = [text for pair in pairs for text in drawn(pair)]
    for number, text in enumerate(drawings):
        if number >= _MOST_DRAWINGS or not page.add(f"\n{code_block(text, 'text')}"):
            page.left_out(len(drawings) - number, "time lines")
            return


def _varied(page: Page, pairs: Iterable[Pair]) -> None:
    rows = [
        (
            markdown(pair.name),
            str(one.iteration + 1),
            code_span(one_line(one.setting, _CELL)),
            one.result if one.blame is None else f"**{one.result}**",
            "-" if one.blame is None else code_span(one_line(f"{one.blame.path}, {one.blame.attribute}", _CELL)),
        )
        for pair in pairs
        for one in varied(pair)
    ]
    if rows:
        page.heading("What was varied")
        page.table(("suite", "iteration", "varied", "result", "first difference from the control"), rows)


def _clocks(page: Page, pairs: Iterable[Pair]) -> None:
    rows = [
        (
            f"{markdown(altered.scenario)} {altered.iteration + 1}",
            markdown(altered.service),
            markdown(clock_words(altered.clock)),
            "no" if altered.clock.untimed else "yes",
        )
        for pair in pairs
        for altered in altered_clocks(pair)
    ]
    if rows:
        page.heading("Altered clocks")
        page.table(("scenario, iteration", "service", "measured inside", "times of its spans corrected"), rows, most=50)


def _egress(page: Page, report: RunReport) -> None:
    rows = [
        (markdown(a.service), code_span(one_line(a.whereto, _CELL)), markdown(a.via), str(a.count))
        for a in attempts(report)
    ]
    if rows:
        page.heading("Attempts to get out")
        page.add("Dropped or refused, and recorded, at the wall around the services.\n")
        page.table(("service", "to", "stopped by", "count"), rows, most=50)


def _isolation(page: Page, report: RunReport) -> None:
    proof = report.session.proof
    if proof is not None:
        page.heading("Isolation")
        page.add(
            f"Ways out that were tried before the first service started: {len(proof.vectors)}; "
            f"open: {proof.ways_out}; packets seen by the wall: {proof.dropped}."
        )


def _phases(page: Page, report: RunReport) -> None:
    if report.session.timings:
        page.heading("Phases")
        page.table(("phase", "seconds"), [(markdown(k), f"{v:.2f}") for k, v in report.session.timings.items()])


def _digests(page: Page, pairs: Iterable[Pair]) -> None:
    rows = [
        (
            markdown(pair.name),
            str(i.index + 1),
            *(code_span(d[:23]) for d in (i.digests.digest, i.digests.trace, i.digests.schedule, i.digests.outcome)),
        )
        for pair in pairs
        if pair.verdict is not None
        for i in pair.verdict.iterations
        if i.digests is not None
    ]
    if rows:
        page.heading("Digests")
        page.table(("suite", "iteration", "digest", "trace", "schedule", "outcome"), rows)


def _rank(pair: Pair) -> int:
    return _WORST_FIRST.index(pair.verdict.verdict) if pair.verdict is not None else 0
