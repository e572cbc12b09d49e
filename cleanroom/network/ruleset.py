"""The wall as text: the nftables rules of a run's slots, and what a listing of them says was dropped.

Two hooks see what leaves a slot's bridge: `prerouting` (after connection tracking, before any address translation)
and, for IPv6, the bridge's own `ingress`, because a kernel with IPv6 off on an interface throws such packets away
before `prerouting` and nobody would know who tried. `forward` is a second wall with nothing in common with the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cleanroom.errors import NetworkError
from cleanroom.network.ports import Drop, Slot

_SET_SIZE = 65535
_PORTED = "{ tcp, udp, sctp, dccp, udplite }"
_PROTOCOL_NAMES = {
    "1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "33": "dccp", "58": "icmpv6", "132": "sctp", "136": "udplite",
    "ipv6-icmp": "icmpv6",
}  # fmt: skip
_SETS = (
    ("ports", "ipv4_addr . ipv4_addr . inet_proto . inet_service"),
    ("others", "ipv4_addr . ipv4_addr . inet_proto"),
    ("ports6", "ipv6_addr . ipv6_addr . inet_proto . inet_service"),
    ("others6", "ipv6_addr . ipv6_addr . inet_proto"),
)


def table_name(run_id: str) -> str:
    """Return the name of the run's table in nftables' `inet` family."""
    return f"cleanroom_{run_id}"


def render_wall(run_id: str, slots: tuple[Slot, ...]) -> str:
    """Return the `nft -f` script that puts up the wall for `slots`, whose bridges need not exist yet.

    A table of that name is replaced in the same transaction, so there is never a moment without a wall.
    """
    table = f"table inet {table_name(run_id)}"
    parts = [table, f"delete {table}", f"{table} {{", *_counters(slots)]
    for slot in slots:
        parts += [*_sets(slot), *_refused_chain(slot), *_slot_chain(slot)]
    parts += [*_base_chains(run_id, slots), "}"]
    return "\n".join(parts) + "\n"


def render_ingress(run_id: str, slots: tuple[Slot, ...]) -> str:
    """Return the `nft -f` script that adds the ingress chains of `slots`, whose bridges must exist and be down."""
    lines = [f"table inet {table_name(run_id)} {{"]
    for slot in slots:
        lines += [
            f"  chain slot{slot.index}_ingress {{",
            f'    type filter hook ingress device "{slot.bridge}" priority -500; policy accept;',
            "    meta protocol { ip, arp } accept",
            "    ip6 daddr ff02::/16 counter name stays drop",
            f"    goto slot{slot.index}_refused",
            "  }",
        ]
    return "\n".join([*lines, "}"]) + "\n"


def render_flush(run_id: str, slot: int) -> str:
    """Return the `nft -f` script that forgets the drops of a slot."""
    return "".join(f"flush set inet {table_name(run_id)} slot{slot}_{kind}\n" for kind, _ in _SETS)


def _counters(slots: tuple[Slot, ...]) -> list[str]:
    names = ["stays", "stray", "leaving", "entering", *(f"slot{slot.index}_total" for slot in slots)]
    return [f"  counter {name} {{ }}" for name in names]


def _sets(slot: Slot) -> list[str]:
    return [
        f"  set slot{slot.index}_{kind} {{ type {types}; size {_SET_SIZE}; flags dynamic; }}" for kind, types in _SETS
    ]


def _refused_chain(slot: Slot) -> list[str]:
    name = f"slot{slot.index}"
    key, key6 = "ip saddr . ip daddr . meta l4proto", "ip6 saddr . ip6 daddr . meta l4proto"
    ported = f"meta l4proto {_PORTED}"
    return [
        f"  chain {name}_refused {{",
        f"    counter name {name}_total",
        f"    meta protocol ip {ported} add @{name}_ports {{ {key} . th dport counter }} drop",
        f"    meta protocol ip6 {ported} add @{name}_ports6 {{ {key6} . th dport counter }} drop",
        f"    meta protocol ip add @{name}_others {{ {key} counter }} drop",
        f"    meta protocol ip6 add @{name}_others6 {{ {key6} counter }} drop",
        "    drop",
        "  }",
    ]


def _slot_chain(slot: Slot) -> list[str]:
    ours = f"ip saddr {slot.subnet} ip daddr {slot.gateway}"
    last = slot.address(255)
    return [
        f"  chain slot{slot.index} {{",
        f"    {ours} meta l4proto {{ tcp, udp }} th dport 53 accept",
        f"    {ours} tcp dport {{ 4317, 4318 }} accept",
        # Answers to connections that this side opened (probes, http steps, measurements): direction `reply` can only
        # be a packet from whom we called, so a service cannot make itself a state to pass by.
        f"    {ours} ct direction reply ct state established accept",
        f"    {ours} meta l4proto icmp ct state related accept",
        # Damaged on the way (`network.corrupt`): with a wrong checksum it says nothing of where anybody wanted to go.
        f"    {ours} ct state invalid counter name stray drop",
        # What remains of a connection whose state is gone (a late FIN) opens nothing: dropped, but nobody's attempt to
        # get out.
        f"    {ours} tcp flags & (fin | syn | rst | ack) != syn counter name stray drop",
        # Only seen when br_netfilter shows bridged frames to this hook; they stay on the bridge.
        f"    ip saddr {slot.subnet} ip daddr {slot.address(2)}-{slot.address(254)} accept",
        f"    ip daddr {{ 255.255.255.255, {last}, 224.0.0.0/24 }} counter name stays drop",
        "    ip6 daddr ff02::/16 counter name stays drop",
        f"    goto slot{slot.index}_refused",
        "  }",
    ]


def _base_chains(run_id: str, slots: tuple[Slot, ...]) -> list[str]:
    every = f'"clr-{run_id}-*"'
    return [
        "  chain prerouting {",
        "    type filter hook prerouting priority mangle; policy accept;",
        *(f'    iifname "{slot.bridge}" goto slot{slot.index}' for slot in slots),
        f"    iifname {every} drop",
        "  }",
        "  chain forward {",
        "    type filter hook forward priority mangle; policy accept;",
        *(f'    iifname "{slot.bridge}" oifname "{slot.bridge}" accept' for slot in slots),
        f"    iifname {every} counter name leaving drop",
        f"    oifname {every} counter name entering drop",
        "  }",
    ]


def parse_drops(listing: str, slot: int) -> tuple[tuple[Drop, ...], int]:
    """Return the slot's drops, sorted, and how many packets its wall has refused since it was put up.

    `listing` is what `nft -j list table` prints. Raises NetworkError when it is not that.
    """
    try:
        objects = json.loads(listing)["nftables"]
        sets = {o["set"]["name"]: o["set"] for o in objects if "set" in o}
        total = {o["counter"]["name"]: int(o["counter"]["packets"]) for o in objects if "counter" in o}
        elements = [e["elem"] for kind, _ in _SETS for e in sets[f"slot{slot}_{kind}"].get("elem", [])]
        drops = tuple(sorted((_drop(element) for element in elements), key=drop_key))
        return drops, total[f"slot{slot}_total"]
    except (KeyError, TypeError, ValueError) as err:
        raise NetworkError(f"nft's listing of the wall has no drops of slot {slot}: {err!r}") from err


def _drop(element: Mapping[str, Any]) -> Drop:
    source, destination, protocol, *port = element["val"]["concat"]
    return Drop(
        source=str(source),
        destination=str(destination),
        protocol=_PROTOCOL_NAMES.get(str(protocol), str(protocol)),
        port=int(port[0]) if port else 0,
        count=int(element["counter"]["packets"]),
    )


def drop_key(drop: Drop) -> tuple[str, str, str, str, int, str]:
    """Return what drops are sorted by: everything but the count."""
    return (drop.via, drop.source, drop.destination, drop.protocol, drop.port, drop.name)
