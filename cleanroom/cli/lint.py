"""`cleanroom lint`: weaknesses and style of valid specs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cleanroom.cli.selection import add_templates, options_of
from cleanroom.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cleanroom.spec.lint.rule import LintFinding
    from cleanroom.spec.source import Problem


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "lint",
        help="find what makes specs weaker than they look",
        description=(
            "Look for weaknesses in specs: exit 1 when a warning is found (with --strict also a note) that no comment "
            "allows, 3 when a spec is invalid. `# cleanroom-lint: allow RULE -- reason` allows a rule: behind a line, "
            "above a block, or above the first line for the whole file. `cleanroom explain RULE` says more."
        ),
    )
    add_templates(parser)
    parser.add_argument(
        "--format", choices=("text", "json", "github"), default="text", help="how findings are printed (default: text)"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 for notes, too")
    parser.set_defaults(call=_lint)


def _lint(arguments: argparse.Namespace) -> int:
    from cleanroom.spec.discover import discover  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.spec.lint.check import lint_file  # noqa: PLC0415
    from cleanroom.spec.problem import render_problems  # noqa: PLC0415

    options = options_of(arguments, out="")
    if options.random_seed:
        raise UsageError("--seed random: lint says the same of the same spec", remedy="name a seed, or none")
    root = Path(options.root)
    findings: list[LintFinding] = []
    problems: list[Problem] = []
    files = discover(options.specs, root)
    for path in files:
        linted = lint_file(
            path, root=root, variables=options.variables, environment=options.environment, seed=options.seed
        )
        findings += linted.findings
        problems += linted.problems
    sys.stdout.write(_printed(arguments.format, findings, len(files)))
    if problems:
        sys.stderr.write(render_problems(problems) + "\n")
        return int(ExitCode.INVALID_SPEC)
    fails = any(finding.level == "warning" or arguments.strict for finding in findings)
    return int(ExitCode.FINDINGS if fails else ExitCode.PASS)


def _printed(form: str, findings: Sequence[LintFinding], files: int) -> str:
    if form == "json":
        return _json(findings)
    if form == "github":
        return "".join(_command(finding) + "\n" for finding in findings)
    blocks = [_block(finding) for finding in findings]
    warnings = sum(finding.level == "warning" for finding in findings)
    notes = len(findings) - warnings
    blocks.append(f"{_number(warnings, 'warning')}, {_number(notes, 'note')} in {_number(files, 'file')}")
    return "\n\n".join(blocks) + "\n"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _block(finding: LintFinding) -> str:
    lines = [f"{finding.at}: {finding.level}[{finding.rule}]: {finding.message}"]
    if finding.excerpt:
        number = str(finding.at.line)
        source, caret = finding.excerpt.split("\n", 1)
        lines += [f"  {number} | {source}", f"  {' ' * len(number)} | {caret}"]
    lines.append(f"  what to do: {finding.remedy}")
    return "\n".join(lines)


def _json(findings: Sequence[LintFinding]) -> str:
    import json  # noqa: PLC0415 - only here

    listed = [
        {
            "rule": finding.rule,
            "level": finding.level,
            "file": finding.at.file,
            "line": finding.at.line,
            "column": finding.at.column,
            "message": finding.message,
            "remedy": finding.remedy,
        }
        for finding in findings
    ]
    return json.dumps({"findings": listed}, indent=2, ensure_ascii=False) + "\n"


def _command(finding: LintFinding) -> str:
    """Return a workflow command; what would end it or its properties is escaped as the runner expects."""
    kind = "warning" if finding.level == "warning" else "notice"
    file = _escaped(finding.at.file).replace(":", "%3A").replace(",", "%2C")
    place = f"file={file},line={finding.at.line},col={finding.at.column},title=cleanroom lint%3A {finding.rule}"
    return f"::{kind} {place}::{_escaped(f'{finding.message} ({finding.remedy})')}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
