"""What the keys of a network fault mean as matches of nftables."""

from __future__ import annotations

from cleanroom.faults.base import FaultContext
from cleanroom.faults.network.ground import Ground, members
from cleanroom.faults.traffic.table import Hook, Rule
from cleanroom.spec.fault import Fault

# What a service and the runner tell each other is no part of the system under test: without it nobody could judge.
_TELEMETRY = "{ 4317, 4318 }"
_NAMES = "53"
_SYN = "tcp flags & (fin|syn|rst|ack) == syn"


def hooks(fault: Fault) -> tuple[Hook, ...]:
    """Return where what the fault matches passes: packets that come in, packets that go out behind everything."""
    found: dict[str, tuple[Hook, ...]] = {"ingress": ("input",), "egress": ("egress",), "both": ("input", "egress")}
    return found[fault.direction]


def exempt(hook: Hook, gateway: str) -> tuple[Rule, ...]:
    """Return the rules that let pass what is no traffic between services: its own, telemetry and names."""
    inward = hook == "input"
    side, end = ("saddr", "sport") if inward else ("daddr", "dport")
    own = {"input": ('iif "lo"',), "output": ('oif "lo"',), "egress": ()}[hook]
    return (
        *(Rule(hook=hook, match=match, verdict="accept") for match in own),
        Rule(hook=hook, match=f"ip {side} {gateway} tcp {end} {_TELEMETRY}", verdict="accept"),
        Rule(hook=hook, match=f"ip {side} {gateway} meta l4proto {{ tcp, udp }} th {end} {_NAMES}", verdict="accept"),
    )


def peers_of(target: str, fault: Fault, context: FaultContext, ground: Ground) -> tuple[str, ...]:
    """Return the services at the other end of `between`, seen from one end; none: everybody."""
    own = [name for name in fault.between if target in members(name, context.containers)]
    other = [name for name in fault.between if name not in own]
    return tuple(n for name in other for n in members(name, context.containers) if n in ground.stands)


def from_or_to(hook: Hook, addresses: tuple[str, ...]) -> str:
    """Return the match of the other side's addresses; nothing for everybody."""
    side = "saddr" if hook == "input" else "daddr"
    return f"ip {side} {_listed(addresses)}" if addresses else ""


def packets(fault: Fault) -> tuple[str, ...]:
    """Return matches of the fault's protocol and ports, of which a packet has to fit one."""
    kinds = (fault.protocol,) if fault.protocol != "any" else ("tcp", "udp") if fault.ports else ()
    if not kinds:
        return ("meta protocol { ip, ip6 }",)
    if not fault.ports:
        return tuple(f"meta l4proto {kind}" for kind in kinds)
    ports = _listed(tuple(map(str, fault.ports)))
    return tuple(f"{kind} {end} {ports}" for kind in kinds for end in ("dport", "sport"))


def openings(fault: Fault) -> tuple[tuple[str, str], ...]:
    """Return the matches of what begins a conversation with the fault's ports, each with its protocol."""
    ports = f" dport {_listed(tuple(map(str, fault.ports)))}" if fault.ports else ""
    tcp = ("tcp", f"tcp{ports} {_SYN}" if ports else _SYN)
    udp = ("udp", f"udp{ports} ct state new" if ports else "meta l4proto udp ct state new")
    return tuple(one for one in (tcp, udp) if fault.protocol in ("any", one[0]))


def _listed(values: tuple[str, ...]) -> str:
    return values[0] if len(values) == 1 else f"{{ {', '.join(values)} }}"
