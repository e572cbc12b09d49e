"""The names that a spec declares, which its expectations refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cleanroom.spec.fault import Fault

_NO_FAULTS: Mapping[str, Fault | None] = MappingProxyType({})
_NO_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is written, whether or not the rest of each declaration is right: a broken one is no unknown name."""

    services: tuple[str, ...] = ()
    faults: Mapping[str, Fault | None] = field(default_factory=lambda: _NO_FAULTS)
    """By id; None is one that is broken and has been reported."""
    steps: tuple[str, ...] = ()
    """Every name of a step, those inside `parallel` and a workload's mix too: each may have a span."""
    journals: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_GROUPS)
    """By journal, what its operations can be grouped by: `worker`, and the variables of the workload."""
    snapshots: tuple[str, ...] = ()
