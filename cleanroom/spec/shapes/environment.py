"""The shapes of what holds for one environment as a whole: limits, network, cleanup (spec.md, introduction)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar
from cleanroom.spec.environment import Cleanup, EnvironmentLimits, Network, Outside
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.mock import HOST
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, either, integer, items, number
from cleanroom.spec.shapes.value import positive_duration, positive_size

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

SMALLEST_MTU = 576
LARGEST_MTU = 65535
LARGEST_PORT = 65535
_OUTSIDE = 'a host and a port such as "api.example.com:443"'
_ENDPOINT = re.compile(rf"(?:(?P<host>{HOST})|\[(?P<six>[0-9A-Fa-f:.]+)\]):(?P<port>[0-9]{{1,5}})")


def _outside(node: Node, place: Place) -> Outside:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise place.wrong(node, _OUTSIDE)
    match = _ENDPOINT.fullmatch(node.value)
    port = int(match["port"]) if match else 0
    if match is None or not 0 < port <= LARGEST_PORT or (match["six"] and not _is_address(match["six"])):
        raise place.wrong(node, _OUTSIDE, code="wrong-value")
    return Outside(match["host"] or match["six"], port)


def _is_address(text: str) -> bool:
    import ipaddress  # noqa: PLC0415 -- only a bracketed address needs it

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


outside = Shape(
    _outside,
    _OUTSIDE,
    {"type": "string", "pattern": rf"^(?:{HOST}|\[[0-9A-Fa-f:.]+\]):[0-9]{{1,5}}$"},
    example='"api.example.com:443"',
)
"""A host, by name or address, and a port."""

_LIMITS = Record(
    place="limits",
    doc="What one environment may use. It is enforced, and exceeding it is a finding.",
    keys={
        "cpus": Key(number(0, above=True), "Processors, as a number.", example="2", later=True),
        "memory": Key(positive_size, "Memory of all its processes, in bytes.", example="2GiB", later=True),
        "containers": Key(integer(1), "How many containers there are at once, at most.", example="10", later=True),
        "duration": Key(
            positive_duration, "How long it lives; it is ended then.", example="120s", later=True
        ),
    },
)  # fmt: skip
limits = _LIMITS.making(EnvironmentLimits)
"""What one environment may use."""

_EGRESS = Record(
    place="network.egress",
    doc="What may be reached from inside an environment.",
    keys={
        "allow": Key(
            distinct(items(outside, at_least=1), "destination"),
            "Hosts and ports that services may reach; every report lists them.",
            example='["api.example.com:443"]',
            later=True,
        )
    },
    required=("allow",),
)
_NETWORK = Record(
    place="network",
    doc="The network of one environment.",
    keys={
        "mtu": Key(
            integer(SMALLEST_MTU, LARGEST_MTU), "The largest packet, in bytes.",
            default="1500", example="1400", later=True,
        ),
        "egress": Key(
            either(
                "none or {allow: […]}",
                scalar=choice("none").then(lambda _word: ()),
                mapping=_EGRESS.making(lambda allow: allow),
            ),
            "What may be reached from inside: nothing (`none`), or the hosts and ports of `allow`.",
            default="none", example='{allow: ["api.example.com:443"]}',
        ),
    },
)  # fmt: skip


def _network(mtu: int = Network().mtu, egress: tuple[Outside, ...] = ()) -> Network:
    return Network(mtu=mtu, allow=egress)


network = _NETWORK.making(_network)
"""The network of one environment."""

_CLEANUP = Record(
    place="cleanup",
    doc="Removing an environment.",
    keys={
        "timeout": Key(
            positive_duration, "How long it may take, until what is left is named and the run is an error.",
            default="30s", later=True,
        )
    },
)  # fmt: skip
cleanup = _CLEANUP.making(Cleanup)
"""Removing an environment."""
