"""From checks to words, exit codes and figures (spec.md section 6, "Exit code of a run")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cleanroom.errors import ExitCode
from cleanroom.spec.source import Position
from cleanroom.validate.model import Check, CheckWord, IterationVerdict, SuiteVerdict, VerdictWord
from cleanroom.validate.rules import ALWAYS

# Interrupted outranks all; 3 and 2 come up before anything is started, and never hide an engine that failed.
PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.ENGINE,
    ExitCode.INVALID_SPEC,
    ExitCode.USAGE,
    ExitCode.TELEMETRY,
    ExitCode.FINDINGS,
    ExitCode.INCONCLUSIVE,
    ExitCode.PASS,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that outranks the others; of no codes at all: inconclusive, never a pass."""
    return min(codes, key=PRECEDENCE.index, default=ExitCode.INCONCLUSIVE)


def word_of(code: ExitCode) -> VerdictWord:
    """Return the verdict that goes with an exit code."""
    if code is ExitCode.PASS:
        return "pass"
    if code is ExitCode.FINDINGS:
        return "fail"
    return "inconclusive" if code is ExitCode.INCONCLUSIVE else "error"


def code_of(number: int) -> ExitCode:
    """Return the exit code of a trouble; a number that is none, or that would be a pass, is engine trouble."""
    try:
        code = ExitCode(number)
    except ValueError:
        return ExitCode.ENGINE
    return ExitCode.ENGINE if code is ExitCode.PASS else code


def is_broken(check: Check) -> bool:
    """Whether the check has a finding that fails a run (a warning does not, an accepted defect does not)."""
    return not check.accepted and has_error(check)


def has_error(check: Check) -> bool:
    """Whether the check has a finding that is no warning, accepted or not."""
    return any(finding.level == "error" for finding in check.findings)


def is_known(check: Check) -> bool:
    """Whether the check is broken by a defect that the spec accepts."""
    return bool(check.accepted) and has_error(check)


def is_open(check: Check) -> bool:
    """Whether the check could not be judged and the spec does not allow that."""
    return bool(check.inconclusive) and not check.allowed and not is_broken(check)


def is_evidence(check: Check) -> bool:
    """Whether the check says something of the system under test: judged, from the spec, and not of a fault."""
    unsaid = check.rule in ALWAYS or check.rule == "step.skipped" or check.rule.startswith("fault.")
    return not unsaid and not check.inconclusive


def check_word(check: Check) -> CheckWord:
    """Return pass, fail, known or inconclusive for one check."""
    if is_broken(check):
        return "fail"
    if is_known(check):
        return "known"
    return "inconclusive" if check.inconclusive else "pass"


def code_of_check(check: Check) -> ExitCode:
    """Return the exit code of one check: 5, 1, 6 or 0."""
    if is_broken(check):
        missing = any(f.telemetry_missing and f.level == "error" for f in check.findings)
        return ExitCode.TELEMETRY if missing else ExitCode.FINDINGS
    return ExitCode.INCONCLUSIVE if is_open(check) else ExitCode.PASS


def code_of_checks(checks: Iterable[Check]) -> ExitCode:
    """Return the exit code of checks together, by precedence; without any evidence among them 6, never 0."""
    every = tuple(checks)
    evidence = any(is_evidence(check) for check in every)
    return worst((ExitCode.PASS if evidence else ExitCode.INCONCLUSIVE, *(code_of_check(check) for check in every)))


def all_checks(iteration: IterationVerdict) -> tuple[tuple[str, Check], ...]:
    """Return every check of an iteration with its scenario's name (empty for the suite's own)."""
    of_scenarios = ((s.name, check) for s in iteration.scenarios for check in s.checks)
    return (*of_scenarios, *(("", check) for check in iteration.checks))


def figures(suites: Iterable[SuiteVerdict]) -> Mapping[str, int]:
    """Return passed, failed, known, inconclusive: each check once over all iterations, by the worst of its words."""
    rank: dict[CheckWord, int] = {"pass": 0, "known": 1, "inconclusive": 2, "fail": 3}
    found: dict[tuple[str, str, str, Position], CheckWord] = {}
    for suite in suites:
        every = [pair for iteration in suite.iterations for pair in all_checks(iteration)]
        every += [("", suite.determinism)] if suite.determinism is not None else []
        for scenario, check in every:
            key = (suite.file, scenario, check.name, check.at)
            word = check_word(check)
            if key not in found or rank[word] > rank[found[key]]:
                found[key] = word
    words = list(found.values())
    names: dict[str, CheckWord] = {"passed": "pass", "failed": "fail", "known": "known", "inconclusive": "inconclusive"}
    return MappingProxyType({name: words.count(word) for name, word in names.items()})
