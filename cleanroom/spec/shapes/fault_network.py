"""Faults of the family network (spec.md section 8)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.document import Items
from cleanroom.spec.shapes.fault_kind import Kind, parameter, percent, percent_or_none
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, boolean, choice, fixed_text, integer, items
from cleanroom.spec.shapes.value import duration, positive_duration, positive_size, rate, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_EMULATION = ("netem", "nfqueue")
_FILTER = ("nftables",)
_PROXY = ("proxy",)
_LINK = ("target", "between")

GILBERT = Record(
    place="the fault network.loss.gilbert",
    doc="Loss in bursts (Gilbert and Elliott): a chain of two states, each with its own share of loss.",
    keys={
        "p": Key(percent, "The chance for each packet to pass from the good state to the bad one.", example="5"),
        "r": Key(percent, "The chance for each packet to pass from the bad state back to the good one.", example="30"),
        "good": Key(percent_or_none, "The share of packets lost in the good state.", default="0", example="1"),
        "bad": Key(percent_or_none, "The share of packets lost in the bad state.", default="100", example="80"),
    },
    required=("p", "r"),
)


def _gilbert(p: float, r: float, good: float = 0.0, bad: float = 100.0) -> Mapping[str, float]:
    return MappingProxyType({"p": p, "r": r, "good": good, "bad": bad})


_group = items(fixed_text, at_least=1)
_lists = items(_group)


def _groups(node: Node, place: Place) -> tuple[tuple[str, ...], ...]:
    if isinstance(node, Items) and len(node.items) < 2:  # noqa: PLR2004 -- a partition has two sides
        raise place.wrong(node, "at least two groups of services", code="wrong-value")
    found: tuple[tuple[str, ...], ...] = _lists(node, place)
    names = [name for group in found for name in group]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise place.wrong(node, f"groups that share no service ({', '.join(twice)})", code="wrong-value")
    return found


groups = Shape(
    _groups,
    "a list of at least two lists of services",
    {"type": "array", "items": _group, "minItems": 2},
    example="[[db-1], [db-2, db-3]]",
)

_delay = parameter(positive_duration, "The time by which each packet is late.", example="500ms")
_chunk_delay = parameter(duration, "The time between two pieces.", "0", example="10ms")

NETWORK: Mapping[str, Kind] = MappingProxyType({
    "network.latency": Kind(
        doc="Packets arrive late.",
        parameters={
            "delay": _delay,
            "jitter": parameter(duration, "How far a delay may be from `delay`, either way.", "0", example="100ms"),
            "distribution": parameter(
                choice("uniform", "normal", "pareto"), "How the delays lie around `delay`.", "uniform"
            ),
            "correlation": parameter(
                percent_or_none, "How much each delay is like the one before it, in percent.", "0", example="25"
            ),
        },
        required=("delay",),
        needs=MappingProxyType({"distribution": "jitter", "correlation": "jitter"}),
        rungs=_EMULATION, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.loss": Kind(
        doc="Packets are lost.",
        parameters={
            "percent": parameter(percent, "The share of packets, each decided by the seeded stream."),
            "every": parameter(integer(1), "Every nth packet is lost, exactly.", example="10"),
            "gilbert": parameter(GILBERT.making(_gilbert), "Loss in bursts.", example="{p: 5, r: 30}"),
        },
        exactly_one=("percent", "every", "gilbert"),
        rungs=(*_EMULATION, *_FILTER), of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.corrupt": Kind(
        doc="A bit of a packet is changed, and its checksum is not: the receiver throws it away.",
        parameters={"percent": parameter(percent, "The share of packets.", example="1")},
        required=("percent",),
        rungs=_EMULATION, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.duplicate": Kind(
        doc="Packets arrive twice.",
        parameters={"percent": parameter(percent, "The share of packets.", example="5")},
        required=("percent",),
        rungs=_EMULATION, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.reorder": Kind(
        doc="Packets overtake others, which are held back.",
        parameters={
            "percent": parameter(percent, "The share of packets that overtake."),
            "gap": parameter(integer(1), "Only every nth packet may overtake.", "1", example="5"),
            "delay": parameter(positive_duration, "How long the overtaken packets are held back.", example="50ms"),
        },
        required=("percent", "delay"),
        rungs=_EMULATION, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.bandwidth": Kind(
        doc="No more than so many bits a second pass.",
        parameters={
            "rate": parameter(rate, "The most that passes."),
            "burst": parameter(
                positive_size, "What may pass at once after a pause. Left out: what the rate carries in 20 ms.",
                example="16KiB",
            ),
        },
        required=("rate",),
        rungs=("htb",), of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.partition": Kind(
        doc="Services are cut off from each other: groups from groups, a pair, or the target from all others.",
        parameters={
            "groups": parameter(groups, "Services that still reach each other inside their group only."),
            "one_way": parameter(
                boolean, "Whether only what the first group (of a pair: the first service) sends is lost.", "false"
            ),
        },
        rungs=_FILTER, of_network=True, direction="both", in_container=False, struck_by=("target", "between", "groups"),
        available=True,
    ),
    "network.disconnect": Kind(
        doc="The container is taken off the network and put back at the fault's end.",
        rungs=("api",), in_container=False, available=True,
    ),
    "network.refuse": Kind(
        doc="New connections are refused.",
        rungs=_FILTER, of_network=True, direction="ingress", in_container=False, struck_by=_LINK, available=True,
    ),
    "network.reset": Kind(
        doc="Connections are reset; those from before the fault as soon as one side says something.",
        parameters={
            "after": parameter(
                size, "How many bytes of `direction` pass before, in each connection.", "0", example="1KiB"
            )
        },
        rungs=_PROXY, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.blackhole": Kind(
        doc="Packets vanish, and nobody is told.",
        rungs=_FILTER, of_network=True, direction="ingress", in_container=False, struck_by=_LINK, available=True,
    ),
    "network.slow_close": Kind(
        doc="Connections stay open for a time after one side has closed.",
        parameters={"delay": parameter(positive_duration, "For how long.")},
        required=("delay",),
        rungs=_PROXY, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.slice": Kind(
        doc="What is sent arrives in small pieces.",
        parameters={
            "size": parameter(positive_size, "Of a piece, in bytes.", example="64"),
            "delay": _chunk_delay,
        },
        required=("size",),
        rungs=_PROXY, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.limit_data": Kind(
        doc="Connections are closed once so many bytes have passed.",
        parameters={"bytes": parameter(positive_size, "Of `direction`, in each connection.", example="1KiB")},
        required=("bytes",),
        rungs=_PROXY, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
    "network.connection_limit": Kind(
        doc="No more than so many connections are open at once; further ones are refused.",
        parameters={"max": parameter(integer(0), "How many.", example="10")},
        required=("max",),
        rungs=_FILTER, of_network=True, direction="ingress", in_container=False, struck_by=_LINK, available=True,
    ),
    "network.port_exhaustion": Kind(
        doc="The local ports for outgoing connections run out.",
        parameters={"leave": parameter(integer(0, 65535), "How many ports are left.", "0", example="10")},
        rungs=("sysctl",), available=True,
    ),
    "network.flap": Kind(
        doc="The link goes down and comes up again, until the fault's end.",
        parameters={
            "up": parameter(positive_duration, "For how long it is up."),
            "down": parameter(positive_duration, "For how long it is down.", example="500ms"),
        },
        required=("up", "down"),
        rungs=_FILTER, of_network=True, in_container=False, struck_by=_LINK, available=True,
    ),
})  # fmt: skip
