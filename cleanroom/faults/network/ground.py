"""The services of an environment while rules divide them: their namespaces, and who answers whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState, Engine
from cleanroom.errors import EngineError
from cleanroom.faults.victim import visible_pid
from cleanroom.network.contact import Contact, Transport, contact, listeners
from cleanroom.network.handle import Handle
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.quantity import Duration
from cleanroom.spec.fault import Fault

RUNNER = "runner"
"""Whom a way begins at that begins with us: our own namespace, on the bridge's gateway."""
PATIENCE = Duration(10**9)
_TOGETHER = 8
# A port that nobody listens on is as good as any to see packets lost: its refusal is an answer as well.
_ANY_PORT = 9

Want: TypeAlias = Literal["lost", "refused", "passes", "free"]
"""What is to become of a way: nothing arrives, it is refused, packets still arrive (which a counter tells: their answer
may be lost), or nobody touches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From one service (or `RUNNER`) to another's port; `counter` (service, name) counts its packets."""

    source: str
    goal: str
    protocol: Transport
    port: int
    want: Want
    counter: tuple[str, str] = ("", "")

    @property
    def name(self) -> str:
        """The way in words, for a report."""
        return f"{self.source}->{self.goal}:{self.protocol}/{self.port}"


@dataclass(frozen=True, slots=True)
class Stand:
    """One running service, its namespace held open."""

    container: Container
    state: ContainerState
    handle: Handle
    tcp: tuple[int, ...]
    udp: tuple[int, ...]

    def listens(self, protocol: Transport) -> tuple[int, ...]:
        """Return the ports on which it can be reached."""
        return self.tcp if protocol == "tcp" else self.udp


class Ground:
    """Every running service; a target must be one."""

    def __init__(self, stands: Mapping[str, Stand]) -> None:
        self.stands = stands

    def __getitem__(self, name: str) -> Stand:
        return self.stands[name]

    def address(self, name: str) -> str:
        """Return a service's address."""
        return self.stands[name].container.address

    def others(self, *names: str) -> tuple[str, ...]:
        """Return every service but these, in order of name."""
        return tuple(sorted(set(self.stands) - set(names)))

    def ask(self, ways: Iterable[Way], patience: Duration = PATIENCE) -> dict[Way, Contact]:
        """Go every way once, some at a time."""
        asked = tuple(ways)
        with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="contact") as pool:
            return dict(zip(asked, pool.map(lambda way: self._go(way, patience), asked), strict=True))

    def _go(self, way: Way, patience: Duration) -> Contact:
        def go() -> Contact:
            return contact(way.protocol, self.address(way.goal), way.port, patience)

        return go() if way.source == RUNNER else self.stands[way.source].handle.do(go)

    def close(self) -> None:
        """Let go of every namespace; safe to call twice."""
        for stand in self.stands.values():
            stand.handle.close()


def open_ground(engine: Engine, containers: Mapping[str, Container], needed: Iterable[str]) -> Ground:
    """Hold the namespace of every service that runs; raises when one of `needed` does not, or is not ours to see."""
    wanted = set(needed)
    stands: dict[str, Stand] = {}
    try:
        for name, container in sorted(containers.items()):
            state = engine.inspect(container.id)
            if name not in wanted and state.status != "running":
                continue
            pid = visible_pid(state)
            stands[name] = Stand(
                container, state, Handle(namespace_of_pid(pid)), listeners(pid, "tcp"), listeners(pid, "udp")
            )
            # The pid was that container's before its namespace was opened, and is so still: nothing else was opened.
            visible_pid(state)
    except BaseException:
        Ground(stands).close()
        raise
    return Ground(stands)


def port_of(stand: Stand, fault: Fault, *, listened: bool = False) -> tuple[Transport, int]:
    """Return where to contact a service with packets that the fault matches, on a port with a listener if possible.

    Raises `EngineError` when somebody must listen (`listened`) and nobody does.
    """
    protocols: tuple[Transport, ...] = ("tcp", "udp") if fault.protocol == "any" else (fault.protocol,)
    for protocol in protocols:
        heard = stand.listens(protocol)
        asked = fault.ports or (*stand.container.ports, *heard)
        found = next((port for port in asked if port in heard), 0)
        if found:
            return protocol, found
    if listened:
        where = f"port {', '.join(map(str, fault.ports))}" if fault.ports else "any port"
        raise EngineError(f"nobody in {stand.container.service} listens on {where}, so nothing there could be refused")
    return protocols[0], fault.ports[0] if fault.ports else _ANY_PORT


def members(name: str, containers: Mapping[str, Container]) -> tuple[str, ...]:
    """Return the containers of a service: itself, or its replicas `name-1`, `name-2`, …."""
    if name in containers:
        return (name,)
    return tuple(sorted(c for c in containers if c.rpartition("-")[0] == name and c.rpartition("-")[2].isdigit()))
