"""The traffic-control tree of one container, compiled from all its active shapes: pure values, and their commands.

In each direction one htb, which lets everything pass that no filter leads to a class; for each distinct match one class
with its rate, and in it the kernel's emulator (netem) or a plain queue. What comes in is led through an ifb device.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cleanroom.errors import CapabilityError
from cleanroom.faults.traffic.shape import (
    Bandwidth,
    Corrupt,
    Delay,
    Duplicate,
    Effect,
    Gilbert,
    Loss,
    Match,
    Reorder,
    Shape,
    Way,
)  # fmt: skip
from cleanroom.quantity import Duration

# A container of ours has one network, so one interface.
DEVICE = "eth0"
MIRROR = "clr-ifb"
DEVICES: dict[Way, str] = {"egress": DEVICE, "ingress": MIRROR}
_LIMIT = "100000"
_PROTOCOLS = {"tcp": "6", "udp": "17"}
# The kernel cuts a jitter at what its tables can multiply, without a word.
_MAX_JITTER_NS = (1 << 31) - 1
_MINORS = 0x7000
_FIRST_MINOR = 0x10
_PRIORITIES = 0xEFFF
# A queue of another kind has another handle: only so does it take the old one's place at once, or not at all.
_EMULATOR = 0x8000
# What may wait: a fifth of a second's worth, and never less than two of the largest packets that a sender makes.
_WAIT = 5
_LEAST_QUEUE = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing that a command adds, changes or deletes; `where` says which it is, `what` how it is."""

    kind: str
    where: tuple[str, ...]
    what: tuple[str, ...] = ()

    def command(self, verb: str) -> tuple[str, ...]:
        """Return the argv that adds, changes or deletes it."""
        if self.kind == "link":
            return ("ip", "link", verb, *self.where, *(self.what if verb == "add" else ()))
        if self.kind == "up":
            return ("ip", "link", "set", *self.where, "up")
        return ("tc", self.kind, verb, *self.where, *(() if verb == "del" else self.what))


def compile_tree(shapes: Sequence[Shape]) -> tuple[Node, ...]:
    """Return the nodes, each after those that it needs; raises `CapabilityError` for what one tree cannot do."""
    nodes: list[Node] = []
    for way, device in DEVICES.items():
        groups: dict[Match, list[Shape]] = {}
        for shape in shapes:
            if way in shape.match.ways:
                groups.setdefault(replace(shape.match, direction=way), []).append(shape)
        if not groups:
            continue
        _refuse_overlap(tuple(groups))
        nodes += _mirror() if way == "ingress" else []
        whole = ("dev", device, "root", "handle", "1:")
        nodes.append(Node(kind="qdisc", where=whole, what=("htb", "default", "0", "direct_qlen", "10000")))
        taken: set[int] = set()
        for match, members in groups.items():
            nodes += _branch(device, match, members, taken)
    return tuple(nodes)


def _mirror() -> list[Node]:
    incoming = ("dev", DEVICE, "parent", "ffff:", "protocol", "ip", "prio", "1")
    redirect = ("u32", "match", "u32", "0", "0", "action", "mirred", "egress", "redirect", "dev", MIRROR)
    return [
        Node(kind="link", where=(MIRROR,), what=("type", "ifb")),
        Node(kind="up", where=(MIRROR,)),
        Node(kind="qdisc", where=("dev", DEVICE, "handle", "ffff:", "ingress")),
        Node(kind="filter", where=incoming, what=redirect),
    ]


def minor_of(match: Match) -> str:
    """Return the number of the class for this match, in hex: the same whatever else is in the tree."""
    digest = hashlib.sha256(repr((match.protocol, match.ports, match.peers)).encode()).digest()
    return f"{int.from_bytes(digest[:4], 'big') % _MINORS + _FIRST_MINOR:x}"


def handles(match: Match) -> tuple[str, str]:
    """Return the handles of the plain queue and of the emulator in the class for this match."""
    minor = int(minor_of(match), 16)
    return f"{minor:x}:", f"{minor + _EMULATOR:x}:"


def _branch(device: str, match: Match, members: Sequence[Shape], taken: set[int]) -> list[Node]:
    minor = minor_of(match)
    rates = [shape.effect for shape in members if isinstance(shape.effect, Bandwidth)]
    emulated = [shape for shape in members if not isinstance(shape.effect, Bandwidth)]
    if len(rates) > 1:
        raise CapabilityError(
            "the same packets cannot have two rates at once", remedy="end the first before the second"
        )
    within = ("dev", device, "parent", "1:", "classid", f"1:{minor}")
    inside = ("dev", device, "parent", f"1:{minor}")
    queue, emulator = handles(match)
    leaf = (queue, "bfifo", "limit", str(queue_bytes(rates[0]))) if not emulated else (emulator, *netem(emulated))
    nodes = [
        Node(kind="class", where=within, what=_rate(rates[0]) if rates else _unlimited()),
        Node(kind="qdisc", where=inside, what=("handle", *leaf)),
    ]
    # Packets reach the class only when it is complete.
    for found in filters(match):
        what = ("u32", *found, "flowid", f"1:{minor}")
        priority = next(p for p in itertools.count(_priority(what)) if p not in taken)
        taken.add(priority)
        where = ("dev", device, "parent", "1:", "protocol", "ip", "prio", str(priority))
        nodes.append(Node(kind="filter", where=where, what=what))
    return nodes


def _priority(filter_words: tuple[str, ...]) -> int:
    """Return where the search for a free priority begins: it is how a filter is told from others when it goes."""
    digest = hashlib.sha256(" ".join(filter_words).encode()).digest()
    return int.from_bytes(digest[:4], "big") % _PRIORITIES + 1


def queue_bytes(rate: Bandwidth) -> int:
    """Return how many bytes may wait for their turn; what comes beyond them is lost, as on a real link."""
    return max(_LEAST_QUEUE, rate.burst, rate.bits // 8 // _WAIT)


def _rate(rate: Bandwidth) -> tuple[str, ...]:
    speed, burst = f"{rate.bits}bit", f"{rate.burst}b"
    return ("htb", "rate", speed, "ceil", speed, "burst", burst, "cburst", burst, "quantum", "1514")


def _unlimited() -> tuple[str, ...]:
    return ("htb", "rate", "100gbit", "ceil", "100gbit", "burst", "10mb", "cburst", "10mb", "quantum", "60000")


def _refuse_overlap(matches: Sequence[Match]) -> None:
    for number, one in enumerate(matches):
        for other in matches[number + 1 :]:
            if not _disjoint(one, other):
                raise CapabilityError("two faults strike packets in common, but not the same: a packet has one class")


def _disjoint(one: Match, other: Match) -> bool:
    return (
        bool(one.protocol != other.protocol and "any" not in (one.protocol, other.protocol))
        or bool(one.peers and other.peers and not {*one.peers} & {*other.peers})
        or bool(one.ports and other.ports and not {*one.ports} & {*other.ports})
    )


def netem(shapes: Sequence[Shape]) -> tuple[str, ...]:
    """Return the arguments of one netem that does all of this; raises `CapabilityError` for what it cannot do."""
    words: tuple[str, ...] = ("netem", "limit", _LIMIT)
    kinds = ["loss" if isinstance(s.effect, Loss | Gilbert) else type(s.effect).__name__ for s in shapes]
    kinds += ["Delay" for s in shapes if isinstance(s.effect, Reorder)]
    if twice := next((kind for kind in kinds if kinds.count(kind) > 1), None):
        raise CapabilityError(f"backend netem: one emulator cannot have two of {twice.lower()}")
    for shape in sorted(shapes, key=lambda s: type(s.effect).__name__):
        words += _emulation(shape.effect)
    if any(_is_random(shape.effect) for shape in shapes):
        words += ("seed", str(_seed(shapes)))
    return words


def _seed(shapes: Sequence[Shape]) -> int:
    if len(shapes) == 1:
        return shapes[0].seed
    return int(hashlib.sha256("".join(s.stream for s in shapes).encode()).hexdigest()[:16], 16)


def _is_random(effect: Effect) -> bool:
    return not isinstance(effect, Delay) or bool(effect.jitter.ns)


def _emulation(effect: Effect) -> tuple[str, ...]:
    if isinstance(effect, Delay):
        return _delayed(effect)
    if isinstance(effect, Loss):
        return ("loss", "random", f"{effect.percent:g}%")
    if isinstance(effect, Gilbert):
        return ("loss", "gemodel", *(f"{value:g}%" for value in (effect.p, effect.r, effect.bad, effect.good)))
    if isinstance(effect, Corrupt):
        return ("corrupt", f"{effect.percent:g}%")
    if isinstance(effect, Duplicate):
        return ("duplicate", f"{effect.percent:g}%")
    if isinstance(effect, Reorder):
        return ("delay", _time(effect.delay), "reorder", f"{effect.percent:g}%", "gap", str(effect.gap))
    raise CapabilityError(f"backend netem: the kernel's emulator has no {type(effect).__name__.lower()}")


def _delayed(delay: Delay) -> tuple[str, ...]:
    words: tuple[str, ...] = ("delay", _time(delay.delay))
    if delay.jitter.ns > _MAX_JITTER_NS:
        raise CapabilityError("backend netem: the kernel cuts a jitter of more than 2.147s")
    if delay.jitter.ns:
        words += (_time(delay.jitter),)
        if delay.correlation:
            # The kernel starts a correlated series from a number of its own, so its first packets are not the seed's.
            words += (f"{delay.correlation:g}%",)
        if delay.distribution != "uniform":
            words += ("distribution", delay.distribution)
    return words


def filters(match: Match) -> tuple[tuple[str, ...], ...]:
    """Return the u32 matches, each enough by itself, that lead packets to the class."""
    sides = tuple(("match", "ip", "dst" if match.direction == "egress" else "src", f"{p}/32") for p in match.peers)
    protocols = (match.protocol,) if match.protocol != "any" else ("tcp", "udp") if match.ports else ("any",)
    found: list[tuple[str, ...]] = []
    for side in sides or ((),):
        for protocol in protocols:
            kind = ("match", "ip", "protocol", _PROTOCOLS[protocol], "0xff") if protocol != "any" else ()
            if not match.ports:
                found.append((*side, *kind) or ("match", "u32", "0", "0"))
            for port in match.ports:
                found.extend((*side, *kind, "match", "ip", end, str(port), "0xffff") for end in ("sport", "dport"))
    return tuple(found)


def _time(duration: Duration) -> str:
    """Spell a time for tc, which reads fractions; it does not know `ns` in every version."""
    whole, rest = divmod(duration.ns, 1000)
    return f"{whole}.{rest:03}us" if rest else f"{whole}us"


def changes(old: Sequence[Node], new: Sequence[Node]) -> tuple[tuple[str, ...], ...]:
    """Return the commands that make `new` of `old`; what is in both is left alone, with the packets that it holds."""
    known = {(node.kind, node.where): node for node in old}
    wanted = {(node.kind, node.where) for node in new}
    commands = [
        node.command("del") for node in reversed(old) if (node.kind, node.where) not in wanted and node.kind != "up"
    ]
    for node in new:
        before = known.get((node.kind, node.where))
        if before is None:
            commands.append(node.command("add"))
        elif before != node:
            # A queue of another kind takes the place of the old one; the same kind keeps its packets.
            commands.append(
                node.command("change" if node.kind == "class" or before.what[:2] == node.what[:2] else "replace")
            )
    return tuple(commands)
