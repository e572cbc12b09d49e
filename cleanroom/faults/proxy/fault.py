"""A fault that the transparent proxy does; proven by a connection of ours, and by real traffic that was struck."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cleanroom.canonical import Json
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, CleanroomError, EngineError, NetworkError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.proxy.claim import Claimed
from cleanroom.faults.proxy.job import Job
from cleanroom.faults.proxy.process import ProxyProcess
from cleanroom.faults.proxy.prove import Prove, Seen
from cleanroom.faults.proxy.redirect import Lead, Redirect
from cleanroom.faults.proxy.sockets import Pair
from cleanroom.faults.rung import pinned
from cleanroom.faults.silence import silenced
from cleanroom.faults.victim import interrupted, visible_pid
from cleanroom.network.namespace import in_namespace, namespace_of_pid
from cleanroom.plan.model import FaultEvent
from cleanroom.plan.stream import Stream

BACKEND = "proxy"
TIMEOUT = 10.0
_ANY_PORT = 9
_SILENCED = "not tried, under another fault"
# Nobody has this address (RFC 5737), and nothing gets there: the proxy answers in its place.
_NOBODY = "192.0.2.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a fault does, and how that is seen."""

    parameters: Mapping[str, Json]
    trial: Mapping[str, Json]
    """The parameters of our own connections: nothing that is waited for long, or moves much."""
    prove: Prove
    at_once: Seen | None = None
    """What a connection saw that was reset before it could be used; None: that is not what the fault does."""


@dataclass(slots=True)
class _Hit:
    """One target: where it is, what was put there, and what came of it."""

    container: Container
    place: Claimed
    state: ContainerState
    peer: str | None
    """The namespace that our connections come from; None: ours."""
    redirect: Redirect
    process: ProxyProcess | None = None
    figures: dict[str, Json] = field(default_factory=dict)
    lapses: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.container.service


class ProxyFault:
    """One event, on every target of it."""

    backend = BACKEND

    def __init__(self, event: FaultEvent, context: FaultContext, deed: Deed) -> None:
        self._event = event
        self._context = context
        self._deed = deed
        self._hits: list[_Hit] = []
        self._ended = False

    @property
    def _of_http(self) -> bool:
        return self._event.fault.kind.startswith("http.")

    def inject(self) -> None:
        """Start a proxy in each target's network and lead its connections there; raises `EngineError`."""
        for name in self._event.targets:
            container = self._context.containers[name]
            state = self._context.engine.inspect(container.id)
            place = Claimed(namespace_of_pid(visible_pid(state)))
            hit = _Hit(container, place, state, self._peer(name), Redirect(place, self._lead(container)))
            self._hits.append(hit)
            # The pid was that container's before its namespace was opened, and is so still: nothing else was opened.
            visible_pid(state)
        for hit in self._hits:
            hit.process = ProxyProcess(hit.place, self._job(hit.name))
            hit.redirect.put_up(hit.process.port)
            hit.process.start()

    def _job(self, name: str) -> Job:
        return Job(
            kind=self._event.fault.kind, parameters=self._deed.parameters, trial=self._deed.trial,
            stream=Stream(self._event.stream).part(name).name, direction=self._event.fault.direction,
        )  # fmt: skip

    def _lead(self, container: Container) -> Lead:
        fault = self._event.fault
        peers = tuple(self._context.containers[p].address for p in fault.between if p != container.service)
        # Of a pair each connection is made to one of them, and struck there: made by the other, it would be so twice.
        return Lead(
            ports=fault.ports, peers=peers, outgoing=not self._of_http and not peers, own=container.address,
            spared=(self._context.slot.gateway,),
        )  # fmt: skip

    def _peer(self, name: str) -> str | None:
        for other in self._event.fault.between:
            if other != name:
                state = self._context.engine.inspect(self._context.containers[other].id)
                return namespace_of_pid(visible_pid(state))
        return None

    def _port(self, hit: _Hit) -> int:
        """Return a port that connections to the target come over."""
        asked = self._event.fault.ports
        ports = tuple(p for p in asked if p in hit.container.ports) or asked or hit.container.ports
        return ports[0] if ports else _ANY_PORT

    def verify(self) -> Evidence:
        """Hold when a connection of ours to each target sees what the fault does; real traffic is judged at the end."""
        facts: dict[str, Json] = {}
        weak = []
        for hit in self._hits:
            for way in ("to", "from") if hit.redirect.leads_outgoing else ("to",):
                seen = self._try(hit, way)
                facts.update({f"{hit.name}.{way}.{name}": value for name, value in seen.facts.items()})
                if seen.wrong:
                    weak.append(f"a connection {way} {hit.name}: {seen.wrong}")
                    break
            facts[f"{hit.name}.connections_reset"] = hit.redirect.old
        return Evidence(holds=not weak and bool(self._hits), facts=facts, reason="; ".join(weak))

    def _try(self, hit: _Hit, way: str) -> Seen:
        """Use a connection to the target, or one that it makes; neither reaches anybody but the proxy."""
        process, port = hit.process, self._port(hit)
        if process is None:
            return Seen({}, "there is no proxy")

        def use() -> Seen:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                sock.settimeout(TIMEOUT)
                # Routed as the connection will be, so that its own address is known before it is made.
                target = hit.container.address if way == "to" else _NOBODY
                sock.bind((_own_address(target), 0))
                process.expect(*sock.getsockname())
                try:
                    sock.connect((target, port))
                except ConnectionResetError:
                    # Nothing may pass: the reset may be here before we look.
                    if self._deed.at_once is None:
                        raise
                    return self._deed.at_once
                return self._deed.prove(sock, self._deed.trial)

        try:
            if way == "from":
                return hit.place.do(use)
            return use() if hit.peer is None else in_namespace(hit.peer, use)
        except (OSError, http.client.HTTPException, CleanroomError) as err:
            return Seen({}, f"{type(err).__name__}: {err}")

    def revert(self) -> None:
        """Lead nothing more to the proxies, let them end, and take the rules away; all are tried, whatever fails."""
        failures = []
        for hit in reversed(self._hits):
            try:
                self._end(hit)
            except EngineError as err:
                failures.append(f"{hit.name}: {err.message}")
        self._ended = True
        if failures:
            raise EngineError("; ".join(failures))

    def _end(self, hit: _Hit) -> None:
        process, hit.process = hit.process, None
        try:
            if process is not None and not hit.redirect.stop():
                hit.lapses.append("the rules that lead to the proxy were gone before its end")
        finally:
            if process is not None:
                early = process.code
                hit.figures = {**process.end(), **{f"packets.{k}": v for k, v in hit.redirect.figures.items()}}
                if early is not None or "struck" not in hit.figures:
                    hit.lapses.append(f"the proxy ended early ({process.code})")
        hit.redirect.take_down()

    def verify_reversal(self) -> Evidence:
        """Hold when rules and proxy are gone and a new connection is the service's own; say why it proved nothing."""
        facts: dict[str, Json] = {}
        left: list[str] = []
        lapses: list[str] = []
        for hit in self._hits:
            facts.update({f"{hit.name}.{key}": value for key, value in hit.figures.items()})
            left.extend(f"{hit.name}: {what}" for what in self._leftovers(hit, facts))
            state = self._state(hit)
            if state != "same":
                facts[f"{hit.name}.state"] = state
            if words := interrupted(self._context, hit.name, hit.state.id, hit.state.started_at):
                hit.lapses.append(words)
            if "defects" in hit.figures:
                hit.lapses.append(f"the proxy failed on {hit.figures['defects']} connections: {hit.figures['defect']}")
            lapses.extend(f"{hit.name}: {lapse}" for lapse in hit.lapses)
            hit.place.close()
        if self._hits and not lapses:
            lapses.extend(self._unmet())
        reason = f"still there: {', '.join(left)}" if left else ""
        return Evidence(holds=not left, facts=facts, reason=reason, lapsed="; ".join(lapses))

    def _unmet(self) -> tuple[str, ...]:
        """Say where nothing was struck; of a pair it is enough that one of them was."""
        if self._event.fault.between:
            struck = any(hit.figures.get("struck") for hit in self._hits)
            return () if struck else (self._nothing(self._hits),)
        missed = [hit for hit in self._hits if not hit.figures.get("struck")]
        several = len(self._hits) > 1
        return tuple(f"{hit.name}: {self._nothing([hit])}" if several else self._nothing([hit]) for hit in missed)

    def _nothing(self, hits: Sequence[_Hit]) -> str:
        """Say why nothing was struck: nobody can tell what the fault does to a service that it never met."""
        total = {key: sum(_count(hit.figures.get(key)) for hit in hits) for key in ("connections", "matched")}
        passed: dict[str, int] = {}
        for hit in hits:
            for key, value in hit.figures.items():
                if key.startswith("passed_"):
                    what = key.removeprefix("passed_")
                    passed[what] = passed.get(what, 0) + _count(value)
        what = "request" if self._of_http else "connection"
        said = f"no {what} was struck: {total['connections']} connections came, {total['matched']} {what}s matched"
        others = ", ".join(f"{count} {name}" for name, count in sorted(passed.items()))
        return f"{said}; passed on untouched: {others}" if others else said

    def _leftovers(self, hit: _Hit, facts: dict[str, Json]) -> tuple[str, ...]:
        if hit.process is not None and hit.process.running:
            return (f"proxy {hit.process.pid}",)
        try:
            if hit.redirect.there():
                return ("rules that lead to the proxy",)
            if self._state(hit) != "same" or not hit.figures:
                return ()
            direct = self._direct(hit)
        except (OSError, NetworkError) as err:
            return (f"nobody can say ({err})",)
        facts[f"{hit.name}.direct"] = direct
        return () if direct in ("accepted", "refused", _SILENCED) else (f"a new connection is {direct}",)

    def _direct(self, hit: _Hit) -> str:
        """Return what becomes of a new connection: `accepted` is seen among the sockets of the service's own port."""
        port = self._port(hit)
        if silenced(hit.state.id):
            return _SILENCED

        def use() -> str:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                sock.settimeout(TIMEOUT)
                try:
                    sock.connect((hit.container.address, port))
                except ConnectionRefusedError:
                    return "refused"
                except TimeoutError:
                    return "not answered"
                pair = Pair(hit.container.address, port, *sock.getsockname())
                return "accepted" if pair in hit.redirect.sockets().open else "led elsewhere"

        return use() if hit.peer is None else in_namespace(hit.peer, use)

    def _state(self, hit: _Hit) -> str:
        try:
            now = self._context.engine.inspect(hit.state.id)
        except EngineError:
            return "gone"
        if now.status != "running":
            return now.status
        return "same" if now.started_at == hit.state.started_at else "restarted"

    def recovery(self) -> Recovery | None:
        """Nothing has to recover: whoever was struck is told at once, and connects again."""
        return None


def _count(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _own_address(target: str) -> str:
    """Return the address that packets to `target` leave from, in this namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((target, _ANY_PORT))
        address: str = sock.getsockname()[0]
        return address


def open_proxy(event: FaultEvent, context: FaultContext, deed: Deed) -> ProxyFault:
    """Return the fault, not yet injected; raises `CapabilityError` for what the proxy cannot do."""
    fault = event.fault
    pinned(event, BACKEND)
    if fault.protocol == "udp":
        raise CapabilityError(
            f"{fault.kind} is a fault on connections, and udp has none", remedy="use protocol any or tcp"
        )
    return ProxyFault(event, context, deed)
