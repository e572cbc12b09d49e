"""Text with templates that only a running scenario can evaluate (spec.md section 1: `captured`, `worker`, …)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNTIME_NAMES = ("iteration", "replica", "peers", "captured", "worker", "operation", "example")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression whose run-time names are open; `bindings` are the values of the others, known at load time."""

    source: str
    names: frozenset[str]
    """The run-time names it refers to, never empty."""
    bindings: Mapping[str, object]


class RuntimeText(str):
    """Text as it was written, and the parts it consists of; a `str`, so that models hold it where text stands."""

    __slots__ = ("parts",)
    parts: tuple[str | Expression, ...]

    def __new__(cls, written: str, parts: tuple[str | Expression, ...]) -> Self:
        """Return the text `written`, which evaluates part by part."""
        text = super().__new__(cls, written)
        text.parts = parts
        return text

    def __reduce__(self) -> tuple[type[RuntimeText], tuple[str, tuple[str | Expression, ...]]]:
        """Pickle and copy the parts too."""
        return RuntimeText, (str(self), self.parts)

    @property
    def names(self) -> frozenset[str]:
        """The run-time names that the text refers to."""
        return frozenset().union(*(part.names for part in self.parts if isinstance(part, Expression)))
