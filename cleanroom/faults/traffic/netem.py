"""The netem rung: the kernel's own emulator, seeded where the kernel and iproute2 know `seed` (6.6 and later)."""

from __future__ import annotations

import json

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.network.command import run
from cleanroom.network.namespace import in_namespace, namespace_of_pid

_BACKEND = "netem"
_DEVICE = "eth0"
_MASK32 = (1 << 32) - 1
_LIMIT = "100000"
_PROTOCOLS = {"tcp": "6", "udp": "17"}


def discipline(delay: Delay, seed: int) -> tuple[str, ...]:
    """Return the netem arguments of `tc qdisc add … netem` for `delay`."""
    arguments: tuple[str, ...] = ("netem", "limit", _LIMIT, "delay", f"{delay.delay.ns // 1000}us")
    if delay.jitter.ns:
        arguments += (f"{delay.jitter.ns // 1000}us",)
        if delay.correlation:
            arguments += (f"{delay.correlation:g}%",)
        if delay.distribution != "uniform":
            arguments += ("distribution", delay.distribution)
        arguments += ("seed", str(seed & _MASK32))
    return arguments


def filters(match: Match) -> tuple[tuple[str, ...], ...]:
    """Return the u32 matches that lead packets to the emulator; none means every packet."""
    if not match.ports and not match.peers and match.protocol == "any":
        return ()
    sides = tuple(("match", "ip", "dst", f"{peer}/32") for peer in match.peers) or ((),)
    protocols = (match.protocol,) if match.protocol != "any" else ("tcp", "udp") if match.ports else ("any",)
    found: list[tuple[str, ...]] = []
    for side in sides:
        for protocol in protocols:
            kind = ("match", "ip", "protocol", _PROTOCOLS[protocol], "0xff") if protocol != "any" else ()
            if not match.ports:
                found.append((*side, *kind))
            for port in match.ports:
                found.extend((*side, *kind, "match", "ip", end, str(port), "0xffff") for end in ("sport", "dport"))
    return tuple(found)


class NetemTraffic:
    """One shape on one container's egress, as one tree: a priority qdisc whose last band alone is emulated."""

    backend = _BACKEND

    def __init__(self, pid: int, shape: Shape) -> None:
        self._pid = pid
        self._shape = shape
        self._applied = False
        self.figures: dict[str, Json] = {}

    def _tc(self, *arguments: str) -> str:
        return in_namespace(namespace_of_pid(self._pid), lambda: run(("tc", *arguments)))

    def apply(self) -> None:
        """Apply the tree; raises `CapabilityError` when the kernel has no netem or the shape is not egress."""
        if self._shape.match.direction != "egress":
            raise CapabilityError(f"backend {_BACKEND}: only the target's egress can be emulated from inside it")
        wanted = discipline(self._shape.delay, self._shape.seed)
        selected = filters(self._shape.match)
        try:
            if not selected:
                self._tc("qdisc", "add", "dev", _DEVICE, "root", "handle", "1:", *wanted)
            else:
                self._apply_filtered(wanted, selected)
        except EngineError as err:
            self._applied = True
            self.remove()
            raise CapabilityError(f"backend {_BACKEND}: {err.message}") from err
        self._applied = True

    def _apply_filtered(self, wanted: tuple[str, ...], selected: tuple[tuple[str, ...], ...]) -> None:
        # Every priority goes to the first band; only the filters lead to the second, which is emulated.
        bands = ("prio", "bands", "2", "priomap", *("0",) * 16)
        self._tc("qdisc", "add", "dev", _DEVICE, "root", "handle", "1:", *bands)
        self._tc("qdisc", "add", "dev", _DEVICE, "parent", "1:2", "handle", "20:", *wanted)
        for match in selected:
            self._tc("filter", "add", "dev", _DEVICE, "parent", "1:", "protocol", "ip", "u32", *match, "flowid", "1:2")

    def remove(self) -> None:
        """Take the whole tree away; safe to call twice."""
        if not self._applied:
            return
        self._applied = False
        for line in self._statistics():
            self.figures["packets"] = line
        if self.leftovers():
            self._tc("qdisc", "del", "dev", _DEVICE, "root")

    def _statistics(self) -> list[Json]:
        listing = json.loads(self._tc("-s", "-j", "qdisc", "show", "dev", _DEVICE) or "[]")
        return [entry.get("packets", 0) for entry in listing if entry.get("kind") == "netem"]

    def leftovers(self) -> tuple[str, ...]:
        """Return the queueing disciplines of ours that the device still has."""
        listing = json.loads(self._tc("-j", "qdisc", "show", "dev", _DEVICE) or "[]")
        return tuple(str(e.get("kind")) for e in listing if e.get("handle") in ("1:", "20:"))
