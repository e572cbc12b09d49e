"""Patterns: how a spec speaks of names that it does not know in full."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob, or a regular expression searched for; `cleanroom.…` selects among the runner's own spans."""

    text: str
    regex: bool = False

    @property
    def of_runner(self) -> bool:
        """Whether the pattern selects among the runner's own spans."""
        return not self.regex and self.text.startswith("cleanroom.")

    def __str__(self) -> str:
        return f"/{self.text}/" if self.regex else self.text
