"""`network.partition`: services are cut off from each other, each at the receiver's input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from cleanroom.errors import EngineError
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.ground import RUNNER, Ground, Way, members, port_of
from cleanroom.faults.network.matching import from_or_to, packets
from cleanroom.faults.network.ruled import RuleFault, Ruling, free_ways, nftables_rung
from cleanroom.faults.rung import Ladder, pinned
from cleanroom.faults.traffic.table import Rule
from cleanroom.plan.model import FaultEvent


def sides(event: FaultEvent, context: FaultContext) -> tuple[tuple[str, ...], ...]:
    """Return the groups of containers, the first one first; those that stand in none reach everybody."""
    fault, containers = event.fault, context.containers
    written = cast("tuple[tuple[str, ...], ...]", event.parameters.get("groups", ()))
    named = written or tuple((name,) for name in fault.between)
    if named:
        return tuple(tuple(n for name in group for n in members(name, containers)) for group in named)
    rest = tuple(sorted(set(containers) - set(event.targets)))
    return (*((target,) for target in event.targets), rest)


def lost_pairs(event: FaultEvent, context: FaultContext) -> Iterator[tuple[str, str]]:
    """Yield who sends to whom in vain. One way: what the first group, or service of a pair, or a target sends."""
    groups = sides(event, context)
    named = bool(event.parameters.get("groups"))
    # Where targets are cut off from all others, each of them is a first group.
    first = 1 if named or event.fault.between else len(event.targets)
    lost = "egress" if event.parameters.get("one_way", False) else "both" if named else event.fault.direction
    for number, senders in enumerate(groups):
        for other, receivers in enumerate(groups):
            sent, received = number < first, other < first
            if number != other and (lost == "both" or (sent if lost == "egress" else received)):
                yield from ((source, goal) for goal in receivers for source in senders)


def rule_partition(event: FaultEvent, context: FaultContext, ground: Ground) -> Ruling:
    """Return the rules: what comes from the other side is dropped; one way, what still comes is counted."""
    lost = tuple(
        pair for pair in lost_pairs(event, context) if pair[0] in ground.stands and pair[1] in ground.stands
    )  # fmt: skip
    if not lost:
        raise EngineError("there is nobody on the other side, so nobody can be cut off")
    back = tuple((goal, source) for source, goal in lost if (goal, source) not in lost)
    rules: dict[str, tuple[Rule, ...]] = {}
    for pairs, counter, verdict in ((lost, _dropped, "drop"), (back, _seen, "")):
        for source, goal in pairs:
            match = from_or_to("input", (ground.address(source),))
            rules[goal] = (
                *rules.get(goal, ()),
                *(
                    Rule(hook="input", match=f"{match} {kind}", counter=counter(source), verdict=verdict)
                    for kind in packets(event.fault)
                ),
            )
    ways = (
        *(_way(source, goal, event, ground, _dropped(source), lost=True) for source, goal in lost),
        *(_way(source, goal, event, ground, _seen(source), lost=False) for source, goal in back),
    )
    return Ruling(rules=rules, ways=(*ways, *_untouched(event, context, ground, lost)))


def _dropped(source: str) -> str:
    return f"from_{source}"


def _seen(source: str) -> str:
    return f"seen_{source}"


def _way(source: str, goal: str, event: FaultEvent, ground: Ground, counter: str, *, lost: bool) -> Way:
    protocol, port = port_of(ground[goal], event.fault)
    want = "lost" if lost else "passes"
    return Way(source=source, goal=goal, protocol=protocol, port=port, want=want, counter=(goal, counter))  # type: ignore[arg-type]


def _untouched(
    event: FaultEvent, context: FaultContext, ground: Ground, lost: tuple[tuple[str, str], ...]
) -> tuple[Way, ...]:
    """Return ways inside the groups, between who stands in none, and from us to everybody."""
    struck = {*lost, *((goal, source) for source, goal in lost)}
    inside = [
        (source, goal)
        for source in sorted(ground.stands)
        for goal in sorted(ground.stands)
        if source != goal and (source, goal) not in struck
    ]
    own = [(RUNNER, goal) for goal in event.targets]
    return free_ways(
        tuple(
            Way(source=source, goal=goal, protocol="tcp", port=_tcp_port(goal, ground), want="free")
            for source, goal in (*own, *inside)
            if goal in context.containers
        )
    )


def _tcp_port(name: str, ground: Ground) -> int:
    # A refusal is an answer as well.
    return (*ground[name].tcp, 9)[0]


def open_partition(event: FaultEvent, context: FaultContext) -> RuleFault:
    """Return the fault, not yet injected; raises `CapabilityError` for a backend that it does not have."""
    pinned(event, "nftables")
    return RuleFault(event, context, rule_partition)


LADDER = Ladder(
    kind="network.partition",
    rungs=(
        nftables_rung(
            "nftables drop at the input of each receiver, by the address of the other side",
            "packets counted by the rule for each pair, and contacts from one side that get no answer on the other",
        ),
    ),
    open=open_partition,
)
