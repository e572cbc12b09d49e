"""A service of a spec while it is being made from one of a Compose file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cleanroom.spec.compose.files import Places
from cleanroom.spec.compose.nodes import entry, mapping
from cleanroom.spec.compose.spot import Spot
from cleanroom.spec.document import Entry, Node, Table
from cleanroom.spec.source import Position

ORDER = (
    "image", "build", "entrypoint", "command", "environment", "user", "working_dir", "hostname", "init", "stop_signal",
    "stop_grace", "depends_on", "ready", "ready_timeout", "tmpfs", "volumes", "files", "limits", "capabilities",
    "restart", "replicas", "labels",
)  # fmt: skip
"""The order in which a service's keys are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the services of a project have in common."""

    places: Places
    top: Mapping[str, Node]
    """The top-level blocks volumes, configs and secrets."""
    known: frozenset[str]
    """The services that others may wait for: those that are taken, and the spec's own."""
    declared: frozenset[str]
    """The services of the Compose file, taken or not."""
    shared_volumes: frozenset[str]
    """Named volumes that more than one container mounts."""
    finished: frozenset[str]
    """Services that another one waits for to end with success."""
    healthy: frozenset[str]
    """Services that another one waits for to be healthy."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """The keys that a service has so far, and what later decisions need."""

    name: str
    source: Table
    spot: Spot
    shared: Shared
    entries: dict[str, Entry] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    """TCP ports that the Compose file speaks of, in its order."""

    def put(self, key: str, at: Position, value: Any) -> None:  # noqa: ANN401 -- a node, or plain data
        """Set a key."""
        self.entries[key] = entry(key, at, value)

    def extend(self, key: str, one: Entry) -> None:
        """Set a key inside the mapping `key`."""
        old = self.entries.get(key)
        inner = old.value.entries if old and isinstance(old.value, Table) else ()
        kept = (*(e for e in inner if e.key != one.key), one)
        at = old.at if old else one.at
        self.entries[key] = Entry(key=key, at=at, value=mapping(kept, at))

    def finished(self, at: Position) -> Entry:
        """Return the service, its keys in the order of ORDER."""
        ordered = sorted(self.entries.values(), key=lambda one: ORDER.index(one.key))
        return Entry(key=self.name, at=at, value=mapping(ordered, self.source.at))
