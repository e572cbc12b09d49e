"""Where a value stands in a spec file, and what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; line and column count from 1; `file` is relative to the workspace, with forward slashes."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Position("", 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a spec: a stable code (e.g. `unknown-key`), where, expected, got, a suggestion."""

    code: str
    at: Position
    message: str
    expected: str = ""
    got: str = ""
    suggestion: str = ""
    excerpt: str = ""
    """The source line(s) with a caret under the column, or empty."""
