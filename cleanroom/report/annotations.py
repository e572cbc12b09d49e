"""Annotations on the spec's own lines, from `report.json`: the most important ones, within what the runner keeps.

Source of the limits: a runner keeps 10 errors and 10 warnings per step and cuts a message at 4096 characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cleanroom.text import clean, command_data, command_property, relay, truncate

MOST_ERRORS = 10
MOST_WARNINGS = 10
LONGEST_MESSAGE = 4000
_TITLE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation; `file` is relative to the workspace, empty where it belongs to no line."""

    level: Literal["error", "warning", "notice"]
    message: str
    title: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def command(self) -> str:
        """Return the workflow command, escaped, on one line without its newline."""
        properties = [("file", self.file)] if self.file else []
        if self.file and self.line:
            properties.append(("line", str(self.line)))
            properties += [("col", str(self.column))] if self.column else []
        properties += [("title", truncate(relay(self.title), _TITLE))] if self.title else []
        told = ",".join(f"{name}={command_property(clean(value))}" for name, value in properties)
        message = command_data(truncate(relay(self.message), LONGEST_MESSAGE))
        return f"::{self.level}{' ' + told if told else ''}::{message}"


def annotate(document: Mapping[str, Any]) -> tuple[Annotation, ...]:
    """Return the annotations of a `report.json`, verdict first, then the gravest; never more than a runner keeps."""
    errors = [*_problems(document), *_troubles(document), *_gates(document), *_findings(document, "error")]
    errors += [*_unjudged(document), *_unreached(document)]
    warnings = [*_findings(document, "warning"), *_accepted(document), *_allowed(document)]
    kept = _distinct(errors)[: MOST_ERRORS - 1]
    verdict = _verdict(document, len(_distinct(errors)) - len(kept))
    return (*verdict, *kept, *_distinct(warnings)[:MOST_WARNINGS])


def _verdict(document: Mapping[str, Any], hidden: int) -> Sequence[Annotation]:
    word = document["verdict"]
    if word == "pass":
        return ()
    counts = document["counts"]
    more = f"; {hidden} more in report.json" if hidden > 0 else ""
    message = (
        f"{counts['failed']} checks failed, {counts['inconclusive']} inconclusive, {counts['passed']} passed"
        f" (exit code {document['exit_code']}{more}). Again: {document['repro']}"
    )
    # Nothing was chosen, and that was allowed: worth knowing, but no error.
    level: Literal["error", "notice"] = "notice" if document["empty"] and not document["exit_code"] else "error"
    return (Annotation(level=level, title=f"cleanroom: {word}", message=message),)


def _problems(document: Mapping[str, Any]) -> Iterator[Annotation]:
    for problem in document["problems"]:
        details = [problem["message"]]
        details += [f"expected {problem['expected']}"] if problem["expected"] else []
        details += [f"got {problem['got']}"] if problem["got"] else []
        details += [problem["suggestion"]] if problem["suggestion"] else []
        yield _at(problem, "error", f"cleanroom: {problem['code']}", "\n".join(details))


def _troubles(document: Mapping[str, Any]) -> Iterator[Annotation]:
    for trouble in document["trouble"]:
        where = f"{trouble['where']}: " if trouble["where"] else ""
        remedy = f"\nWhat to do: {trouble['remedy']}" if trouble["remedy"] else ""
        yield _at(trouble, "error", "cleanroom: not judged", f"{where}{trouble['message']}{remedy}")


def _findings(document: Mapping[str, Any], level: Literal["error", "warning"]) -> Iterator[Annotation]:
    """Yield the findings of one level, each once, the most frequent first, determinism after the others."""
    found: dict[tuple[str, str, str, int, str], tuple[Mapping[str, Any], int]] = {}
    for finding, required in _every_finding(document):
        if (finding["level"] if required else "warning") == level:
            key = (finding["rule"], finding["expected"], finding["file"], finding["line"], finding["found"])
            found[key] = (finding, found.get(key, (finding, 0))[1] + 1)
    ranked = sorted(found.values(), key=lambda item: (item[0]["rule"].startswith("determinism."), -item[1]))
    for finding, count in ranked:
        parts = [f"expected {finding['expected']}", f"found {finding['found']}"]
        parts += [f"near miss: {miss}" for miss in finding["near_misses"][:3]]
        parts += [f"What to do: {finding['remedy']}"] if finding["remedy"] else []
        parts += [f"In {count} iterations."] if count > 1 else []
        yield _at(finding, level, f"cleanroom: {finding['rule']}", "\n".join(parts))


def _every_finding(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield every finding that is not accepted, and whether its suite is required."""
    for suite in document["suites"]:
        for check in _checks_of(suite):
            if not check["accepted"]:
                yield from ((finding, suite["required"]) for finding in check["findings"])


def every_check(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every check of a `report.json`, of every iteration."""
    for suite in document["suites"]:
        yield from _checks_of(suite)


def _checks_of(suite: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for scenario in suite["scenarios"]:
        for turn in scenario["iterations"]:
            yield from turn["checks"]
    for iteration in suite["iterations"]:
        yield from iteration["checks"]
    if suite["determinism"] is not None:
        yield suite["determinism"]


def _gates(document: Mapping[str, Any]) -> Iterator[Annotation]:
    for gate in document["gates"]:
        if gate["state"] != "met":
            counts = f"{gate['passed']} passed, {gate['failed']} failed, {gate['not_judged']} not judged"
            message = f"{gate['name']}: {gate['state']}: {gate['wanted']}, and {counts}"
            yield Annotation(level="error", title="cleanroom: gate", message=message)


def _unreached(document: Mapping[str, Any]) -> Iterator[Annotation]:
    """Yield what was asked for and did not run."""
    for skipped in document["skipped"]:
        if skipped["required"] and skipped["kind"] not in {"tier", "tags"}:
            message = f"{skipped['suite']}: {', '.join(skipped['scenarios'])}: not run: {skipped['why']}"
            yield Annotation(level="error", title="cleanroom: not run", message=message, file=skipped["file"])


def _unjudged(document: Mapping[str, Any]) -> Iterator[Annotation]:
    for check in every_check(document):
        if check["inconclusive"] and not check["allowed"] and check["verdict"] == "inconclusive":
            message = f"{check['name']}: not judged: {check['inconclusive']}"
            yield _at(check, "error", "cleanroom: inconclusive", message)


def _accepted(document: Mapping[str, Any]) -> Iterator[Annotation]:
    for check in every_check(document):
        if check["accepted"]:
            told = "; ".join(finding["found"] for finding in check["findings"])
            message = f"{check['name']}: {told} (known: {check['accepted']})"
            yield _at(check, "warning", "cleanroom: known failure", message)


def _allowed(document: Mapping[str, Any]) -> Iterator[Annotation]:
    for check in every_check(document):
        if check["inconclusive"] and check["allowed"]:
            message = f"{check['name']}: not judged: {check['inconclusive']} (allowed: {check['allowed']})"
            yield _at(check, "warning", "cleanroom: inconclusive, allowed", message)


def _at(place: Mapping[str, Any], level: Literal["error", "warning"], title: str, message: str) -> Annotation:
    return Annotation(
        level=level, title=title, message=message, file=place["file"], line=place["line"], column=place["column"]
    )


def _distinct(annotations: Sequence[Annotation]) -> list[Annotation]:
    return list(dict.fromkeys(annotations))
