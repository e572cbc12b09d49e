"""Which spans are meant: the selectors of spec.md section 6 that need no fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cleanroom.spec.comparator import Comparator
from cleanroom.spec.pattern import Pattern

_NOTHING: Mapping[str, Comparator] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Selectors, conjunctive; None and empty select every span."""

    name: Pattern | None = None
    service: Pattern | None = None
    kind: str | None = None
    scope: Pattern | None = None
    where: Mapping[str, Comparator] = field(default_factory=lambda: _NOTHING)
