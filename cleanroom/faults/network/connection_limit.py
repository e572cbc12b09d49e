"""`network.connection_limit(max)`: so many connections may be open at once, and further ones are refused.

Counted are connections that open while it lasts, and those from before as soon as a packet of theirs is seen: they are
never cut themselves.
"""

from __future__ import annotations

import contextlib
import socket
from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults import needs
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.network.ground import PATIENCE, RUNNER, Ground, Way
from cleanroom.faults.network.matching import exempt, from_or_to, openings, peers_of
from cleanroom.faults.network.refuse import REFUSALS, counter_of, ends, struck_ways
from cleanroom.faults.network.ruled import RuleFault, Ruling, nftables_rung
from cleanroom.faults.rung import Ladder, pinned
from cleanroom.faults.traffic.table import Rule
from cleanroom.plan.model import FaultEvent

PROVABLE = 200
"""The most connections that evidence opens at once."""
_BEYOND = 3


def rule_limit(event: FaultEvent, context: FaultContext, ground: Ground) -> Ruling:
    """Return the rules: each connection is an entry of one set; what would be one too many is refused."""
    fault = event.fault
    rules: dict[str, tuple[Rule, ...]] = {}
    ways: list[Way] = []
    sets: dict[str, None] = {}
    for target in event.targets:
        peers = peers_of(target, fault, context, ground)
        addresses = tuple(ground.address(peer) for peer in peers)
        found: list[Rule] = []
        for hook in ends(fault):
            side = from_or_to(hook, addresses)
            name = f"open_{hook}"
            sets[f"set {name} {{ type inet_proto; size 4; flags dynamic; }}"] = None
            counted = f"add @{name} {{ meta l4proto ct count over {most_of(event)} }}"
            begins = f"{side} {openings(fault)[0][1]}".strip()
            # A connection from before is new to the kernel's tracking with the next packet of it.
            goes_on = begins.replace("== syn", "!= syn") + " ct state new"
            found += [
                *exempt(hook, context.slot.gateway),
                Rule(hook=hook, match=f"{goes_on} {counted}", verdict="accept"),
                Rule(hook=hook, match=f"{begins} {counted}", counter=counter_of(hook), verdict=REFUSALS["tcp"]),
            ]
            ways += struck_ways(target, hook, peers, fault, ground)
        rules[target] = tuple(found)
    return Ruling(rules=rules, ways=tuple(ways), sets=tuple(sets))


def most_of(event: FaultEvent) -> int:
    """Return how many connections may be open."""
    return cast("int", event.parameters["max"])


class ConnectionLimit(RuleFault):
    """The effect is seen by opening more connections than there may be, all at once, for a moment."""

    def verify(self) -> Evidence:
        """Hold when no more than `max` of our connections are open, further ones are refused, and the rule says so."""
        most = most_of(self._event)
        facts: dict[str, Json] = {"max": most}
        weak = []
        for way in self._ruling.ways:
            opened, refused = self._open(way, most + _BEYOND)
            facts |= {f"{way.name}.opened": opened, f"{way.name}.refused": refused}
            if opened > most or not refused:
                weak.append(f"{way.name} opened {opened} connections, and {refused} were refused")
        for service, table in self._tables.items():
            for name, packets in table.counts().items():
                facts[f"{service}.{name}.packets"] = packets
                if not packets:
                    weak.append(f"no packet was counted at {service} ({name})")
        return Evidence(holds=not weak, facts=facts, reason="; ".join(weak))

    def _open(self, way: Way, number: int) -> tuple[int, int]:
        address = self._ground.address(way.goal)

        def work() -> tuple[int, int]:
            return open_at_once(address, way.port, number)

        return work() if way.source == RUNNER else self._ground[way.source].handle.do(work)


def open_at_once(address: str, port: int, number: int) -> tuple[int, int]:
    """Open so many connections, hold them, and close them; return how many were opened and how many refused."""
    opened = refused = 0
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sock.settimeout(PATIENCE.seconds)
            try:
                sock.connect((address, port))
            except ConnectionRefusedError:
                refused += 1
            except TimeoutError:
                break  # neither: whoever listens is overwhelmed, and the next would only wait as well
            except OSError as err:
                raise EngineError(f"connections to {address}:{port} cannot be tried: {err}") from err
            else:
                opened += 1
    return opened, refused


def open_limit(event: FaultEvent, context: FaultContext) -> ConnectionLimit:
    """Return the fault; raises `CapabilityError` for what has no connections and for what cannot be proven."""
    pinned(event, "nftables")
    if event.fault.protocol == "udp":
        raise CapabilityError("udp has no connections that could be limited", remedy="use protocol tcp, or none")
    if event.fault.verify and most_of(event) > PROVABLE:
        raise CapabilityError(
            f"a limit of {most_of(event)} would need as many connections as evidence, and {PROVABLE} is the most",
            remedy="lower max, or say `verify: false` with a reason",
        )
    return ConnectionLimit(event, context, rule_limit)


LADDER = Ladder(
    kind="network.connection_limit",
    rungs=(
        nftables_rung(
            "nftables `ct count` over the target's connections, and a reset for those beyond",
            "connections of ours opened at once: so many succeed, the rest is refused and counted by the rule",
            needs.CONNECTIONS,
            needs.REJECT,
        ),
    ),
    open=open_limit,
)
