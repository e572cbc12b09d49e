"""The first difference between normalised traces, named by span path and attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Where iterations first part: `left` is the first iteration, `right` the first that differs from it."""

    left: int
    right: int
    path: str
    """Span path from a root, e.g. `GET /orders > INSERT orders`, or `step <name>` / `fault <id>`."""
    attribute: str
    """e.g. `attributes.order.id`, `status`, `name`; empty for a missing or extra span."""
    left_value: str
    right_value: str
    classification: Literal["value", "missing span", "extra span", "order", "status", "step", "verdict"]
    proposal: str = ""
    """The normalisation rule that makes them equal, e.g. `drop: [order.id]`; empty where none should be offered."""
