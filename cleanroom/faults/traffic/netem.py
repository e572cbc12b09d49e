"""The netem rung: the kernel's own emulator, seeded where the kernel and iproute2 know `seed` (6.6 and later)."""

from __future__ import annotations

import json

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.place import Inside
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.network.command import run
from cleanroom.quantity import Duration

_BACKEND = "netem"
# A container of ours has one network, so one interface.
_DEVICE = "eth0"
_LIMIT = "100000"
_PROTOCOLS = {"tcp": "6", "udp": "17"}
_NEEDS = "a kernel with sch_netem (Ubuntu: linux-modules-extra-$(uname -r)) and, for jitter, iproute2 6.6 are needed"
# The kernel cuts a jitter at what its tables can multiply, without a word.
_MAX_JITTER_NS = (1 << 31) - 1


def discipline(delay: Delay, seed: int) -> tuple[str, ...]:
    """Return the netem arguments of `tc qdisc add … netem` for `delay`."""
    arguments: tuple[str, ...] = ("netem", "limit", _LIMIT, "delay", _time(delay.delay))
    if delay.jitter.ns:
        arguments += (_time(delay.jitter),)
        if delay.correlation:
            # The kernel starts a correlated series from a number of its own, so its first packets are not the seed's.
            arguments += (f"{delay.correlation:g}%",)
        if delay.distribution != "uniform":
            arguments += ("distribution", delay.distribution)
        arguments += ("seed", str(seed))
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


def _time(duration: Duration) -> str:
    """Spell a time for tc, which reads fractions; it does not know `ns` in every version."""
    whole, rest = divmod(duration.ns, 1000)
    return f"{whole}.{rest:03}us" if rest else f"{whole}us"


class NetemTraffic:
    """One shape on one container's egress, as one tree: a priority qdisc whose last band alone is emulated."""

    backend = _BACKEND

    def __init__(self, place: Inside, shape: Shape) -> None:
        self._place = place
        self._shape = shape
        self._applied = False
        self.figures: dict[str, Json] = {}
        self.lapses: list[str] = []

    def _tc(self, *arguments: str) -> str:
        return self._place.do(lambda: run(("tc", *arguments)))

    def apply(self) -> None:
        """Apply the tree; raises `CapabilityError` when the kernel has no netem or cannot do what is asked."""
        if self._shape.match.direction != "egress":
            raise CapabilityError(f"backend {_BACKEND}: only the target's egress can be emulated from inside it")
        if self._shape.delay.jitter.ns > _MAX_JITTER_NS:
            raise CapabilityError(f"backend {_BACKEND}: the kernel cuts a jitter of more than 2.147s")
        wanted = discipline(self._shape.delay, self._shape.seed)
        selected = filters(self._shape.match)
        try:
            self._refuse_another()
            self._applied = True
            if not selected:
                self._tc("qdisc", "add", "dev", _DEVICE, "root", "handle", "1:", *wanted)
            else:
                self._apply_filtered(wanted, selected)
        except CapabilityError:
            raise
        except EngineError as err:
            self.remove()
            self.lapses.clear()
            self.figures.clear()
            raise CapabilityError(f"backend {_BACKEND}: {err.message.splitlines()[0]}", remedy=_NEEDS) from err

    def _refuse_another(self) -> None:
        if self.leftovers():
            raise CapabilityError(f"backend {_BACKEND}: {_DEVICE} has a queueing discipline of its own already")

    def _apply_filtered(self, wanted: tuple[str, ...], selected: tuple[tuple[str, ...], ...]) -> None:
        # Every priority goes to the first band; only the filters lead to the second, which is emulated.
        bands = ("prio", "bands", "2", "priomap", *("0",) * 16)
        self._tc("qdisc", "add", "dev", _DEVICE, "root", "handle", "1:", *bands)
        # The emulator comes last: what the filters lead to its band passes untouched until then, and all at once after.
        for match in selected:
            self._tc("filter", "add", "dev", _DEVICE, "parent", "1:", "protocol", "ip", "u32", *match, "flowid", "1:2")
        self._tc("qdisc", "add", "dev", _DEVICE, "parent", "1:2", "handle", "20:", *wanted)

    def remove(self) -> None:
        """Take the whole tree away; safe to call twice."""
        if not self._applied:
            return
        self._applied = False
        self._settle()
        if self.leftovers():
            self._tc("qdisc", "del", "dev", _DEVICE, "root")

    def _settle(self) -> None:
        """Read the emulator's own figures; its absence and its losses are lapses."""
        emulators = [entry for entry in self._listed("-s") if entry.get("kind") == "netem"]
        if not emulators:
            self.lapses.append("the emulator was not there any more")
        for name in ("packets", "drops"):
            values = [value for entry in emulators if isinstance(value := entry.get(name, 0), int)]
            self.figures[f"egress.{name}"] = sum(values)
        if self.figures["egress.drops"]:
            self.lapses.append(f"the emulator was full and lost {self.figures['egress.drops']} packets")

    def _listed(self, *options: str) -> list[dict[str, Json]]:
        found: list[dict[str, Json]] = json.loads(self._tc(*options, "-j", "qdisc", "show", "dev", _DEVICE) or "[]")
        return [entry for entry in found if entry]

    def leftovers(self) -> tuple[str, ...]:
        """Return the queueing disciplines that were put on the device, by us or by anybody."""
        # `noqueue` and the like have no handle: they are what a device has by itself.
        return tuple(str(entry.get("kind")) for entry in self._listed() if entry.get("handle") not in (None, "0:"))
