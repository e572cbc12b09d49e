"""Faults of the families container and process (spec.md section 8)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar
from cleanroom.spec.shapes.fault_kind import Kind, count_or_all, parameter
from cleanroom.spec.shapes.shape import Shape, boolean, choice, integer, regex
from cleanroom.spec.shapes.value import duration, positive_duration, positive_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

DEADLY = ("KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV", "BUS", "FPE", "ILL")
"""Signals that end a container's first process, unless it handles them."""
OTHER_SIGNALS = ("STOP", "CONT", "HUP", "PIPE", "ALRM", "USR1", "USR2")


def _signal(*names: str) -> Shape[str]:
    """Take the name of a signal, with or without SIG before it."""
    plain = choice(*names)

    def read(node: Node, place: Place) -> str:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.removeprefix("SIG") in names:
            return node.value.removeprefix("SIG")
        return plain(node, place)

    schema = {"enum": [*names, *(f"SIG{name}" for name in names)]}
    return Shape(read, plain.words, schema, example=names[0], choices=plain.choices)


_grace = parameter(duration, "The time between the stop signal and KILL.", "10s")

CONTAINER: Mapping[str, Kind] = MappingProxyType({
    "container.kill": Kind(
        doc="The container's first process gets a signal that ends it.",
        parameters={
            "signal": parameter(_signal(*DEADLY), "The signal, with or without SIG before it.", "KILL"),
            "revive": parameter(
                choice("policy", "start", "none"),
                "How it comes back: by its restart `policy`, by a `start` at the fault's end, or not at all. Left out: "
                "`policy` if the service has one, else `start`.",
            ),
        },
        rungs=("api", "pid"),
        available=True,
    ),
    "container.stop": Kind(
        doc="The container is stopped in an orderly way, and started again at the fault's end.",
        parameters={"grace": _grace},
        rungs=("api",),
        available=True,
    ),
    "container.pause": Kind(
        doc="All processes of the container stand still until the fault's end.",
        rungs=("api", "signal"),
        available=True,
    ),
    "container.restart": Kind(
        doc="The container is stopped and started again.",
        parameters={"times": parameter(integer(1, 1000), "How often, one after the other.", "1"), "grace": _grace},
        rungs=("api",),
        instant=True,
        available=True,
    ),
    "container.crash_loop": Kind(
        doc="The container is killed again and again, and started again each time.",
        parameters={
            "every": parameter(positive_duration, "The time from one kill to the next."),
            "times": parameter(
                integer(1, 1000), "How often it is killed. Left out: until the fault's end.", example="3"
            ),
        },
        required=("every",),
        rungs=("api", "pid"),
        available=True,
    ),
    "container.recreate": Kind(
        doc="The container is removed, and another one made from the same declaration takes its place.",
        parameters={"keep_volumes": parameter(boolean, "Whether its named volumes keep what they hold.", "true")},
        rungs=("api",),
        instant=True,
        available=True,
    ),
    "container.exit": Kind(
        doc="The container ends with an exit code instead of running its command; it is made anew for that, with its "
        "volumes.",
        parameters={
            "code": parameter(integer(0, 255), "The exit code.", example="3"),
            "times": parameter(integer(1, 1000), "How many of the next starts end so.", "1"),
        },
        required=("code",),
        rungs=("entrypoint",),
        available=True,
    ),
    "container.oom": Kind(
        doc="The container's memory limit is lowered and memory is taken inside it, until the kernel kills.",
        parameters={"memory": parameter(positive_size, "The limit, in bytes.")},
        required=("memory",),
        rungs=("cgroup",),
        available=True,
    ),
})  # fmt: skip

PROCESS: Mapping[str, Kind] = MappingProxyType({
    "process.signal": Kind(
        doc="Processes inside the container get a signal; those that STOP get CONT at the fault's end.",
        parameters={
            "match": parameter(regex, "A regular expression, searched for in the command line.", example="worker"),
            "signal": parameter(
                _signal("TERM", *(s for s in DEADLY if s != "TERM"), *OTHER_SIGNALS),
                "The signal, with or without SIG before it.", "TERM",
            ),
            "count": parameter(count_or_all, "How many of those that match, drawn from the seed; or all.", "all"),
        },
        required=("match",),
        rungs=("pid",),
        available=True,
    ),
    "process.zombies": Kind(
        doc="Processes end inside the container and nobody waits for them.",
        parameters={"count": parameter(integer(1, 100_000), "How many.", example="50")},
        required=("count",),
        rungs=("pid",),
        available=True,
    ),
    "process.fork_bomb": Kind(
        doc="Processes are started inside the container until its limit refuses more.",
        parameters={
            "pids": parameter(integer(1, 100_000), "The limit that is set first: processes and threads.", example="100")
        },
        required=("pids",),
        rungs=("cgroup",),
        available=True,
    ),
})  # fmt: skip
