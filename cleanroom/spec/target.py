"""Whom a fault strikes (spec.md section 8)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One service, `count` drawn from `any_of`, all services, those with a label, or one replica of a service.

    Exactly one of `service`, `any_of`, `all`, `label` and `replica` is set.
    """

    service: str = ""
    any_of: tuple[str, ...] = ()
    count: int = 1
    all: bool = False
    label: tuple[str, str] | None = None
    """`label: tier=storage` as its two halves."""
    replica: int | None = None
    """`replica: 2` of the service in `of`, counted from 1."""
    of: str = ""
