"""Linting a spec file: what the rules find and no comment allows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cleanroom.spec.document import LINE_END, Table
from cleanroom.spec.format.tree import Branch, Columns, Leaf, Piece, read_source
from cleanroom.spec.lint.allow import Allow, BrokenAllow, read_allows
from cleanroom.spec.lint.registry import RULES
from cleanroom.spec.lint.rule import LintFinding
from cleanroom.spec.lint.subject import Subject
from cleanroom.spec.load import load_spec, render_spec
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.source import Position, Problem

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What lint says of one file: its problems when it is invalid, else the findings in order of position."""

    file: str
    problems: tuple[Problem, ...] = ()
    findings: tuple[LintFinding, ...] = ()


def lint_file(
    path: Path, *, root: Path, variables: Mapping[str, str], environment: Mapping[str, str], seed: int | None = None
) -> Linted:
    """Return what is wrong or weak in a spec file; takes what `load_spec` takes and raises nothing for a broken one."""
    loaded = load_spec(path, root=root, variables=variables, environment=environment, seed=seed)
    rendered = render_spec(path, root=root, variables=variables, environment=environment, seed=seed)
    if loaded.problems or rendered.problems:
        return Linted(file=rendered.file, problems=loaded.problems or rendered.problems)
    text = (root / path).read_bytes().decode("utf-8-sig")
    documents = [instance.document for instance in rendered.instances]
    findings = lint_text(text, documents, rendered.file, template=path.suffix == ".j2")
    return Linted(file=rendered.file, findings=findings)


def lint_text(text: str, documents: Sequence[Table], file: str, *, template: bool = False) -> tuple[LintFinding, ...]:
    """Return what the rules find in the instances of a valid spec and no comment of its text allows."""
    text = text.replace("\r\n", "\n")
    lines = LINE_END.split(text)
    comments, anchors = _written_in(text, lines, template=template)
    found: dict[tuple[Position, str, str], LintFinding] = {}
    for document in documents:
        subject = Subject(document=document, text=text, unused_anchors=anchors, place=partial(Position, file))
        for rule in RULES.values():
            for at, message in rule.check(subject):
                found.setdefault((at, rule.name, message), _finding(rule.name, at, message, lines))
    allows: list[Allow] = []
    broken: list[LintFinding] = []
    for allow in read_allows(comments, lines, tuple(RULES)):
        if isinstance(allow, BrokenAllow):
            at = Position(file, allow.line, allow.column)
            broken.append(_finding("broken-allow", at, allow.message, lines))
        else:
            allows.append(allow)
    left = [finding for finding in found.values() if not any(_covers(allow, finding) for allow in allows)]
    unused = [
        _finding("unused-allow", Position(file, allow.line, allow.column), f"nothing here breaks {allow.rule}", lines)
        for allow in allows
        if not any(_covers(allow, finding) for finding in found.values())
    ]
    return tuple(sorted((*left, *broken, *unused), key=lambda finding: (finding.at, finding.rule, finding.message)))


def _covers(allow: Allow, finding: LintFinding) -> bool:
    return allow.rule == finding.rule and allow.first <= finding.at.line <= allow.last


def _finding(name: str, at: Position, message: str, lines: Sequence[str]) -> LintFinding:
    rule = RULES[name]
    log = ProblemLog(at.file, lines)
    log.report(name, at, message)
    return LintFinding(
        rule=name, level=rule.level, at=at, message=message, remedy=rule.remedy, excerpt=log.sorted()[0].excerpt
    )


def _written_in(
    text: str, lines: Sequence[str], *, template: bool
) -> tuple[tuple[tuple[int, int, str], ...], tuple[tuple[str, int, int], ...]]:
    """Return the comments, and the anchors without an alias, as lines and columns."""
    if template:
        # What a template writes is not in the file: its own lines are looked at.
        comments = [(number, line) for number, line in enumerate(lines, 1) if re.search(r"#\s*cleanroom-lint", line)]
        return tuple((number, line.index("#") + 1, line[line.index("#") :]) for number, line in comments), ()
    source = read_source(text)

    columns = Columns(text)

    def place(at: int) -> tuple[int, int]:
        return columns.line(at) + 1, columns(at) + 1

    comments_found = tuple((*place(comment.start), comment.text) for comment in source.comments)
    pieces = list(_pieces(source.root))
    aliases = {piece.alias for piece in pieces if isinstance(piece, Leaf)}
    anchors = [
        (word[1:], place(piece.start)) for piece in pieces for word in piece.properties.split() if word[0] == "&"
    ]
    return comments_found, tuple((name, *where) for name, where in anchors if name not in aliases)


def _pieces(piece: Piece) -> Iterator[Piece]:
    yield piece
    for item in piece.items if isinstance(piece, Branch) else ():
        if item.key is not None:
            yield item.key
        yield from _pieces(item.value)
