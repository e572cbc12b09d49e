"""The slots' bridges: where their addresses come from, making them, and removing them."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleanroom.errors import NetworkError
from cleanroom.network.command import run
from cleanroom.network.ports import Slot

METADATA_ADDRESS = "169.254.169.254"
_FIRST_BASE = 213
_BASES = 256
_OWN_ROUTE = 8


def free_bases(routes: str, run_id: str) -> tuple[int, ...]:
    """Return every n for which no route (`ip -j -4 route show table all`) meets 10.n.0.0/16, best first.

    213 comes first, so that addresses are the same wherever they can be; then an order that differs between runs, so
    that two runs that start together do not follow each other from base to base.
    """
    start = int(run_id, 16) % _BASES
    order = [_FIRST_BASE, *((start + i) % _BASES for i in range(_BASES))]
    taken = [destination for destination, _ in _destinations(routes)]
    return tuple(n for n in dict.fromkeys(order) if not any(t.overlaps(_pool(n)) for t in taken))


def _pool(base: int) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(f"10.{base}.0.0/16")


def _destinations(routes: str) -> Iterator[tuple[ipaddress.IPv4Network, str]]:
    for route in json.loads(routes):
        destination = "0.0.0.0/0" if route["dst"] == "default" else route["dst"]
        network = ipaddress.IPv4Network(destination, strict=False)
        # Anything wider than 10.0.0.0/8 is a default route, whole or (as VPNs write it) in halves: ours go before it.
        if network.prefixlen >= _OWN_ROUTE:
            yield network, route.get("dev", "?")


def current_routes() -> str:
    """Return the IPv4 routes of the caller's network namespace as iproute2's JSON."""
    return run(("ip", "-j", "-4", "route", "show", "table", "all"))


def make_slots(run_id: str, base: int, count: int) -> tuple[Slot, ...]:
    """Return the values of `count` slots in 10.`base`.0.0/16."""
    return tuple(
        Slot(index=i, bridge=f"clr-{run_id}-{i}", subnet=f"10.{base}.{i}.0/24", gateway=f"10.{base}.{i}.1")
        for i in range(count)
    )


def create_bridges(slots: tuple[Slot, ...]) -> None:
    """Make the bridges, without addresses and down: nothing can pass before `raise_bridges`."""
    for slot in slots:
        # A bridge without an address of its own takes a new one as ports come and go, and services that know the old
        # one lose the gateway for a while.
        run(("ip", "link", "add", slot.bridge, "address", _hardware_address(slot), *_BRIDGE))
        run(("ip", "link", "set", slot.bridge, "addrgenmode", "none"))
        # Where /proc/sys is read-only the bridge has no IPv6 address all the same (addrgenmode), and
        # `raise_bridges` checks that it has none.
        with contextlib.suppress(OSError):
            Path(f"/proc/sys/net/ipv6/conf/{slot.bridge}/disable_ipv6").write_text("1", encoding="ascii")


# No snooping: there is no multicast router and group state only adds delay. No spanning tree, no forwarding delay: a
# veth that joins forwards at once.
_BRIDGE = ("type", "bridge", "mcast_snooping", "0", "stp_state", "0", "forward_delay", "0")


def _hardware_address(slot: Slot) -> str:
    """Return a locally administered unicast MAC address that is the gateway's in hexadecimal."""
    return ":".join(f"{octet:02x}" for octet in (0x02, 0x42, *ipaddress.IPv4Address(slot.gateway).packed))


def raise_bridges(slots: tuple[Slot, ...]) -> None:
    """Give the bridges our gateway addresses and set them up; raises NetworkError if one has an IPv6 address."""
    for slot in slots:
        run(("ip", "address", "add", f"{slot.gateway}/24", "dev", slot.bridge))
        run(("ip", "link", "set", slot.bridge, "up"))
        found = [a["local"] for a in _link(slot.bridge)["addr_info"] if a["family"] == "inet6"]
        if found:
            raise NetworkError(f"bridge {slot.bridge} has the IPv6 address {found[0]}; expected none")


def _link(name: str) -> dict[str, Any]:
    found = json.loads(run(("ip", "-j", "address", "show", "dev", name)))
    return dict(next(link for link in found if link))


def link_local(bridge: str) -> str:
    """Return the IPv6 address that the bridge would have if IPv6 were on (from its MAC, RFC 4291 appendix A)."""
    octets = [int(part, 16) for part in _link(bridge)["address"].split(":")]
    identifier = [octets[0] ^ 2, octets[1], octets[2], 0xFF, 0xFE, *octets[3:]]
    return str(ipaddress.IPv6Address(bytes([0xFE, 0x80, *[0] * 6, *identifier])))


def hold_metadata_address(run_id: str) -> None:
    """Put the metadata address on an interface of ours, so that no packet to it can leave this namespace.

    A bridge without ports does what a dummy interface does, on kernels without the dummy driver too.
    """
    name = f"clr-{run_id}-md"
    run(("ip", "link", "add", name, *_BRIDGE))
    run(("ip", "link", "set", name, "addrgenmode", "none"))
    run(("ip", "address", "add", f"{METADATA_ADDRESS}/32", "dev", name))
    run(("ip", "link", "set", name, "up"))


def intruders(routes: str, slots: tuple[Slot, ...]) -> tuple[str, ...]:
    """Return the devices, not ours, whose routes meet the slots' pool: another run took the same base meanwhile."""
    ours = {slot.bridge for slot in slots}
    pool = ipaddress.IPv4Network(slots[0].subnet).supernet(new_prefix=16)
    return tuple(sorted({device for t, device in _destinations(routes) if t.overlaps(pool)} - ours))


def bridges_of(run_id: str) -> tuple[str, ...]:
    """Return the names of the run's interfaces that exist."""
    links = json.loads(run(("ip", "-j", "link", "show", "type", "bridge")) or "[]")
    return tuple(sorted(link["ifname"] for link in links if link and link["ifname"].startswith(f"clr-{run_id}-")))


def forget_neighbour(slot: Slot, address: str) -> None:
    """Ask anew who has `address` on the slot's bridge: an answer from before its death is believed for up to a minute.

    A connection to it then fails after the kernel's three questions (3 s), not after whatever patience the caller has.
    """
    run(("ip", "neigh", "flush", "to", address, "dev", slot.bridge))


def remove_bridges(run_id: str) -> None:
    """Remove the run's interfaces; nothing happens when there are none."""
    for name in bridges_of(run_id):
        run(("ip", "link", "delete", name))
