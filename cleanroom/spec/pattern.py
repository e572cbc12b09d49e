"""Patterns: how a spec speaks of names that it does not know in full."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob, or a regular expression searched for; `cleanroom.…` selects among the runner's own spans."""

    text: str
    regex: bool = False

    @property
    def of_runner(self) -> bool:
        """Whether the pattern selects among the runner's own spans."""
        return not self.regex and self.text.startswith("cleanroom.")

    @property
    def is_literal(self) -> bool:
        """Whether the pattern names one text only."""
        return not self.regex and not any(special in self.text for special in "*?[")

    def matches(self, text: str) -> bool:
        """Whether the pattern names `text`: by its glob (case counts), its exact text or its expression."""
        if self.regex:
            return re.search(self.text, text) is not None
        return text == self.text or fnmatchcase(text, self.text)

    def covers(self, other: Pattern) -> bool:
        """Whether certainly all that `other` names is named by this pattern too, among the same spans."""
        if self == other:
            return True
        return other.is_literal and self.of_runner == other.of_runner and self.matches(other.text)

    def __str__(self) -> str:
        return f"/{self.text}/" if self.regex else self.text
