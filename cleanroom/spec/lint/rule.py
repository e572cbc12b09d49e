"""What a lint rule is, and what one says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.spec.lint.subject import Subject
from cleanroom.spec.source import Position

LintLevel: TypeAlias = Literal["warning", "note"]
Remark: TypeAlias = tuple[Position, str]
"""Where a rule found something, and what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: its texts, which are its documentation, and its check."""

    name: str
    """Stable, in kebab case: the name that `allow` comments use."""
    level: LintLevel
    """A warning makes the command fail; a note does with `--strict`."""
    summary: str
    """What it finds, in one sentence."""
    why: str
    """Why that is a weakness."""
    remedy: str
    """What to do about it."""
    check: Callable[[Subject], Iterator[Remark]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One thing that a rule found in a spec."""

    rule: str
    level: LintLevel
    at: Position
    message: str
    remedy: str
    excerpt: str = ""
