"""`network.blackhole`: packets to or from the target are dropped, and nobody is told."""

from __future__ import annotations

from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.ground import RUNNER, Ground, Way, port_of
from cleanroom.faults.network.matching import exempt, from_or_to, hooks, packets, peers_of
from cleanroom.faults.network.ruled import RuleFault, Ruling, free_ways, nftables_rung
from cleanroom.faults.rung import Ladder, pinned
from cleanroom.faults.traffic.table import Hook, Rule
from cleanroom.plan.model import FaultEvent


def rule_blackhole(event: FaultEvent, context: FaultContext, ground: Ground) -> Ruling:
    """Return the rules: dropped at the target's input, or behind everything where it is what the target sends."""
    fault = event.fault
    rules: dict[str, tuple[Rule, ...]] = {}
    ways: list[Way] = []
    for target in event.targets:
        peers = peers_of(target, fault, context, ground)
        addresses = tuple(ground.address(peer) for peer in peers)
        found: list[Rule] = []
        for hook in hooks(fault):
            found += exempt(hook, context.slot.gateway)
            for match in packets(fault):
                where = " ".join(word for word in (from_or_to(hook, addresses), match) if word)
                found.append(Rule(hook=hook, match=where, counter=_counter(hook), verdict="drop"))
        rules[target] = tuple(found)
        ways += _lost_ways(target, peers, event, ground)
    return Ruling(rules=rules, ways=(*ways, *bystanders(event, ground)))


def _counter(hook: Hook) -> str:
    return "received" if hook == "input" else "sent"


def _lost_ways(target: str, peers: tuple[str, ...], event: FaultEvent, ground: Ground) -> tuple[Way, ...]:
    fault = event.fault
    first = hooks(fault)[0]
    protocol, port = port_of(ground[target], fault)
    ways = [
        Way(source=source, goal=target, protocol=protocol, port=port, want="lost", counter=(target, _counter(first)))
        for source in peers or (RUNNER,)
    ]
    if fault.direction == "both":
        # What does not arrive is not answered: what the target sends is seen only where the target begins.
        for goal in (peers or ground.others(target))[:1]:
            protocol, port = port_of(ground[goal], fault)
            sent = (target, _counter("egress"))
            ways.append(Way(source=target, goal=goal, protocol=protocol, port=port, want="lost", counter=sent))
    return tuple(ways)


def bystanders(event: FaultEvent, ground: Ground) -> tuple[Way, ...]:
    """Return ways that the fault leaves alone: to everybody else, and to a target where it is not struck."""
    fault = event.fault
    ways = []
    for name in (*event.targets, *ground.others(*event.targets)):
        struck = name in event.targets and not fault.between
        ports = [p for p in ground[name].tcp if not struck or (fault.ports and p not in fault.ports)]
        ways += [Way(source=RUNNER, goal=name, protocol="tcp", port=port, want="free") for port in ports[:1]]
    return free_ways(tuple(ways))


def open_blackhole(event: FaultEvent, context: FaultContext) -> RuleFault:
    """Return the fault, not yet injected; raises `CapabilityError` for a backend that it does not have."""
    pinned(event, "nftables")
    return RuleFault(event, context, rule_blackhole)


LADDER = Ladder(
    kind="network.blackhole",
    rungs=(
        nftables_rung(
            "nftables drop at the target's input, or at its device where it is what it sends",
            "packets counted by the rule, and a contact of ours that gets no answer",
        ),
    ),
    open=open_blackhole,
)
