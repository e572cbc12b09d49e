"""What an import of the predecessor's spec says about it, besides the spec that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """Lines for people, each about one key of the file, in the order in which they were found."""

    lost: dict[str, str] = field(default_factory=dict)
    """What the spec does not have, and why."""
    unchecked: dict[str, str] = field(default_factory=dict)
    """What the predecessor read and never evaluated, and why."""
    altered: dict[str, str] = field(default_factory=dict)
    """What means something else here than it did there."""

    def not_taken(self, key: str, reason: str) -> None:
        """Note a key that cannot be taken."""
        self.lost.setdefault(key, reason)

    def never(self, key: str, reason: str) -> None:
        """Note a key that is evaluated here and never was there."""
        self.unchecked.setdefault(key, reason)

    def ignored(self, key: str, reason: str) -> None:
        """Note a key that was never evaluated there and cannot be taken here."""
        self.never(key, "its parser dropped it, or nothing read what it kept")
        self.not_taken(key, reason)

    def changed(self, key: str, reason: str) -> None:
        """Note a key that means something else here."""
        self.altered.setdefault(key, reason)


def lines(found: dict[str, str]) -> tuple[str, ...]:
    """Return what was found as lines."""
    return tuple(f"{key}: {reason}" for key, reason in found.items())
