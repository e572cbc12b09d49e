"""The traffic-control rungs (netem, htb): one tree for all the shapes of a container, changed as a whole."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.place import Common
from cleanroom.faults.traffic.shape import Bandwidth, Shape
from cleanroom.faults.traffic.tree import DEVICE, DEVICES, Node, changes, compile_tree, handles
from cleanroom.network.command import run

_NEEDS = (
    "a kernel with sch_htb, cls_u32, ifb and sch_netem (Ubuntu: linux-modules-extra-$(uname -r)) and, for whatever is "
    "random, iproute2 6.6 are needed"
)


class Ground:
    """The tree of one namespace."""

    def __init__(self) -> None:
        self.shapes: dict[int, Shape] = {}
        self._tree: tuple[Node, ...] = ()
        self._numbers = itertools.count()

    def add(self, place: Common, shape: Shape) -> int:
        """Grow the tree by this shape; return its number. Raises `CapabilityError` and leaves the tree as it was."""
        number = next(self._numbers)
        wanted = {**self.shapes, number: shape}
        tree = compile_tree(tuple(wanted.values()))
        if not self.shapes and (found := disciplines(place)):
            raise CapabilityError(f"{DEVICE} has a queueing discipline of its own already: {found[0]}")
        try:
            place.do(lambda: _execute(changes(self._tree, tree)))
        except EngineError as err:
            place.do(lambda: _execute(changes(tree, self._tree), tolerant=True))
            raise CapabilityError(err.message.splitlines()[0], remedy=_NEEDS) from err
        self.shapes, self._tree = wanted, tree
        return number

    def remove(self, place: Common, number: int) -> list[str]:
        """Take this shape out of the tree; return why it was not in force all the time."""
        del self.shapes[number]
        tree = compile_tree(tuple(self.shapes.values()))
        before, self._tree = self._tree, tree
        try:
            place.do(lambda: _execute(changes(before, tree)))
        except EngineError as err:
            place.do(lambda: _execute(changes(before, tree), tolerant=True))
            return [f"the tree was not as it had been made: {err.message.splitlines()[0]}"]
        return []


def _execute(commands: Sequence[tuple[str, ...]], *, tolerant: bool = False) -> None:
    """Run them in order, those of tc that follow each other in one process; `tolerant`: each, whatever fails."""
    for tool, group in itertools.groupby(commands, key=lambda command: command[0]):
        lines = "".join(" ".join(command[1:]) + "\n" for command in group)
        try:
            run((tool, *(("-force",) if tolerant else ()), "-batch", "-"), stdin=lines)
        except EngineError:
            if not tolerant:
                raise


def _listed(place: Common, device: str, *options: str) -> list[dict[str, Json]]:
    try:
        text = place.do(lambda: run(("tc", *options, "-j", "qdisc", "show", "dev", device)))
    except EngineError:
        return []  # no such device
    found: list[dict[str, Json]] = json.loads(text or "[]")
    return [entry for entry in found if entry]


def disciplines(place: Common) -> tuple[str, ...]:
    """Return the queueing disciplines that were put on the devices, by us or by anybody."""
    # `noqueue` and the like have no handle: they are what a device has by itself.
    found = (entry for device in DEVICES.values() for entry in _listed(place, device))
    return tuple(str(entry.get("kind")) for entry in found if entry.get("handle") not in (None, "0:"))


class ControlTraffic:
    """One shape on one container as a part of its tree; `apply` and `remove` change the whole of it."""

    def __init__(self, place: Common, shape: Shape) -> None:
        self.backend = "htb" if isinstance(shape.effect, Bandwidth) else "netem"
        self._place = place
        self._shape = shape
        self._number: int | None = None
        self.figures: dict[str, Json] = {}
        self.lapses: list[str] = []

    @property
    def _ground(self) -> Ground:
        return self._place.shared(Ground)

    def apply(self) -> None:
        """Apply the tree; raises `CapabilityError` when the kernel lacks a part of it or it cannot do what is asked."""
        with self._place.lock:
            try:
                self._number = self._ground.add(self._place, self._shape)
            except CapabilityError as err:
                message = err.message.removeprefix(f"backend {self.backend}: ")
                raise CapabilityError(f"backend {self.backend}: {message}", remedy=err.remedy) from err

    def counters(self) -> dict[str, Json]:
        """Return what the kernel counted in the shape's class, so far; none when it is not there."""
        found: dict[str, Json] = {}
        for way in self._shape.match.ways:
            for entry in _listed(self._place, DEVICES[way], "-s"):
                if entry.get("handle") in handles(self._shape.match):
                    for name in ("packets", "bytes", "drops", "backlog"):
                        found[f"{way}.{name}"] = entry.get(name, 0)
        return found

    def remove(self) -> None:
        """Take the shape out of the tree, and the tree away with the last of them; safe to call twice."""
        number, self._number = self._number, None
        if number is None:
            return
        with self._place.lock:
            self.figures.update(self.counters())
            if not self.figures:
                self.lapses.append("its part of the tree was not there any more")
            self.lapses.extend(self._ground.remove(self._place, number))

    def leftovers(self) -> tuple[str, ...]:
        """Return the disciplines that are there although nobody needs them any more."""
        with self._place.lock:
            return () if self._ground.shapes else disciplines(self._place)
