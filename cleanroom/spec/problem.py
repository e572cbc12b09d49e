"""Collecting what is wrong with a spec file, all of it, and showing it to a person."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cleanroom.spec.source import Position, Problem

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

MOST_PROBLEMS = 200
EXCERPT_WIDTH = 160
LONGEST_NAME = 200


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that `name` most resembles, or the empty string."""
    candidates = sorted(set(known))
    folded = {candidate.casefold().replace("-", "_"): candidate for candidate in reversed(candidates)}
    wanted = name[:LONGEST_NAME].casefold().replace("-", "_")
    matches = difflib.get_close_matches(wanted, list(folded), n=1, cutoff=0.6)
    return folded[matches[0]] if matches else ""


def one_of(names: Iterable[str]) -> str:
    """Return names as a message lists them: `a, b or c`."""
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}" if listed else "nothing"


@dataclass(slots=True)
class ProblemLog:
    """The problems of one file: each is reported once, with the line it stands on."""

    file: str
    lines: Sequence[str] = ()
    found: dict[tuple[str, Position, str], Problem] = field(default_factory=dict)
    deferred: dict[tuple[Position, str], Problem] = field(default_factory=dict)
    """What `run` cannot carry out yet: no defect of the spec."""
    sources: dict[str, Sequence[str]] = field(default_factory=dict)
    """The lines of the other files that the spec draws on (Compose files), by the name that positions give them."""

    def report(self, code: str, at: Position, message: str, **details: str) -> None:
        """Add a problem; `details` are the fields expected, got and suggestion of Problem."""
        if len(self.found) < MOST_PROBLEMS:
            problem = Problem(code=code, at=at, message=message, excerpt=self._excerpt(at), **details)
            self.found.setdefault((code, at, message), problem)

    def defer(self, at: Position, message: str) -> None:
        """Note that `run` must refuse this spec (code `not-available`), and where."""
        suggestion = "take it out, or use a version that has it; validate and plan know it"
        problem = Problem(
            code="not-available", at=at, message=message, excerpt=self._excerpt(at), suggestion=suggestion
        )  # fmt: skip
        if len(self.deferred) < MOST_PROBLEMS:
            self.deferred.setdefault((at, message), problem)

    def forget(self, code: str, kept: Container[tuple[str, Position, str]]) -> None:
        """Take back the problems with a code that follow from another one; `kept` are those that stay."""
        for key in [key for key in self.found if key[0] == code and key not in kept]:
            del self.found[key]

    def unavailable(self) -> tuple[Problem, ...]:
        """Return what `run` cannot carry out yet, in order of position."""
        return tuple(sorted(self.deferred.values(), key=lambda problem: (problem.at, problem.message)))

    def sorted(self) -> tuple[Problem, ...]:
        """Return the problems in order of position."""
        return tuple(sorted(self.found.values(), key=lambda problem: (problem.at, problem.code, problem.message)))

    def absorb(self, other: ProblemLog) -> None:
        """Take over what was found in another file, and its lines for what is still to be found there."""
        self.found.update(other.found)
        self.sources.update({**other.sources, other.file: other.lines})

    def _excerpt(self, at: Position) -> str:
        lines = self.sources.get(at.file, self.lines)
        if not 0 < at.line <= len(lines):
            return ""
        line = lines[at.line - 1]
        # A long line is shown around the column; what a terminal would obey is shown as a question mark.
        start = max(0, at.column - EXCERPT_WIDTH // 2) if len(line) > EXCERPT_WIDTH else 0
        shown = line[start : start + EXCERPT_WIDTH].replace("\t", " ")
        shown = "".join(character if character.isprintable() else "?" for character in shown)
        return f"{shown}\n{' ' * (at.column - 1 - start)}^"


def render_problems(problems: Sequence[Problem]) -> str:
    """Return the problems as text for a person: each with its place, its line, a caret, expected, got and advice."""
    blocks = [_block(problem) for problem in problems]
    count = len(problems)
    more = " (more are not shown)" if count >= MOST_PROBLEMS else ""
    return "\n\n".join([*blocks, f"{count} problem{'s' if count != 1 else ''}{more}"])


def _block(problem: Problem) -> str:
    lines = [f"{problem.at}: error[{problem.code}]: {problem.message}"]
    if problem.excerpt:
        number = str(problem.at.line)
        source, caret = problem.excerpt.split("\n", 1)
        lines += [f"  {number} | {source}", f"  {' ' * len(number)} | {caret}"]
    if problem.expected:
        lines.append(f"  expected: {problem.expected}")
    if problem.got:
        lines.append(f"  got: {problem.got}")
    if problem.suggestion:
        lines.append(f"  {problem.suggestion}")
    return "\n".join(lines)
