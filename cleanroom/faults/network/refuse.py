"""`network.refuse`: new connections to (or from) the target are refused."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.errors import EngineError
from cleanroom.faults import needs
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.blackhole import bystanders
from cleanroom.faults.network.ground import RUNNER, Ground, Way, port_of
from cleanroom.faults.network.matching import exempt, from_or_to, openings, peers_of
from cleanroom.faults.network.ruled import RuleFault, Ruling, nftables_rung
from cleanroom.faults.rung import Ladder, pinned
from cleanroom.faults.traffic.table import Hook, Rule
from cleanroom.plan.model import FaultEvent
from cleanroom.spec.fault import Fault

REFUSALS = {"tcp": "reject with tcp reset", "udp": "reject with icmp port-unreachable"}


def ends(fault: Fault) -> tuple[Hook, ...]:
    """Return where what begins a connection passes: towards the target, or from it."""
    found: dict[str, tuple[Hook, ...]] = {"ingress": ("input",), "egress": ("output",), "both": ("input", "output")}
    return found[fault.direction]


def rule_refuse(event: FaultEvent, context: FaultContext, ground: Ground) -> Ruling:
    """Return the rules: what begins a conversation is answered with a refusal, always by its receiver.

    A refusal on the sender's own way out would be another error to UDP. What goes on is left alone.
    """
    fault = event.fault
    rules: dict[str, tuple[Rule, ...]] = {}
    ways: dict[Way, None] = {}
    for target in event.targets:
        peers = peers_of(target, fault, context, ground)
        if fault.direction != "egress":
            _refuse(rules, target, tuple(ground.address(peer) for peer in peers), event, context)
            ways |= dict.fromkeys(struck_ways(target, "input", peers, fault, ground))
        if fault.direction != "ingress":
            for goal in peers or ground.others(target):
                _refuse(rules, goal, (ground.address(target),), event, context)
            sent = struck_ways(target, "output", peers, fault, ground)
            ways |= dict.fromkeys(replace(way, counter=(way.goal, counter_of("input"))) for way in sent)
    return Ruling(rules=rules, ways=(*ways, *bystanders(event, ground)))


def _refuse(
    rules: dict[str, tuple[Rule, ...]],
    receiver: str,
    senders: tuple[str, ...],
    event: FaultEvent,
    context: FaultContext,
) -> None:
    before = rules.get(receiver) or exempt("input", context.slot.gateway)
    found = []
    for protocol, match in openings(event.fault):
        where = " ".join(word for word in (from_or_to("input", senders), match) if word)
        found.append(Rule(hook="input", match=where, counter=counter_of("input"), verdict=REFUSALS[protocol]))
    rules[receiver] = (*before, *(rule for rule in found if rule not in before))


def counter_of(hook: Hook) -> str:
    """Return the name of the counter at a hook."""
    return "refused_in" if hook == "input" else "refused_out"


def struck_ways(target: str, hook: Hook, peers: tuple[str, ...], fault: Fault, ground: Ground) -> tuple[Way, ...]:
    """Return the ways on which connections are refused; raises `EngineError` where nobody listens."""
    if hook == "input":
        pairs = [(source, target) for source in peers or (RUNNER,)]
    else:
        pairs = [(target, goal) for goal in peers or ground.others(target) if heard(goal, fault, ground)]
        if not pairs:
            raise EngineError(f"nobody listens to whom {target} could connect, so a refusal could not be seen")
    return tuple(
        Way(source=source, goal=goal, protocol=protocol, port=port, want="refused", counter=(target, counter_of(hook)))
        for source, goal in pairs
        for protocol, port in (port_of(ground[goal], fault, listened=True),)
    )


def heard(name: str, fault: Fault, ground: Ground) -> bool:
    """Return whether somebody listens in a service where the fault strikes."""
    protocol, port = port_of(ground[name], fault)
    return port in ground[name].listens(protocol)


def open_refuse(event: FaultEvent, context: FaultContext) -> RuleFault:
    """Return the fault, not yet injected; raises `CapabilityError` for a backend that it does not have."""
    pinned(event, "nftables")
    return RuleFault(event, context, rule_refuse)


LADDER = Ladder(
    kind="network.refuse",
    rungs=(
        nftables_rung(
            "nftables reject at the target: a reset over TCP, `port unreachable` over UDP",
            "packets counted by the rule, and a connection of ours that is refused where it was open",
            needs.REJECT,
        ),
    ),
    open=open_refuse,
)
