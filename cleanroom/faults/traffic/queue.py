"""The userspace queue rung: packets are handed to our worker by NFQUEUE rules inside the target's namespace.

All the shapes of one container share a worker and two chains of their own, which are compiled and replaced as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.crew import Worker, hire
from cleanroom.faults.traffic.place import Common
from cleanroom.faults.traffic.shape import Match, Shape, Way
from cleanroom.faults.traffic.worker import MARK, QUEUES, Figures
from cleanroom.network.command import run, succeeds

_BACKEND = "nfqueue"
_NEEDS = "iptables and a kernel with nfnetlink_queue and xt_NFQUEUE are needed"
_CHAINS: dict[Way, str] = {"egress": "CLEANROOM-OUT", "ingress": "CLEANROOM-IN"}
# What a service says to itself crosses no network; what the worker sends anew has been held already.
_ENTRIES = (
    f"POSTROUTING ! -o lo -m mark ! --mark {MARK:#x} -j {_CHAINS['egress']}",
    f"INPUT ! -i lo -j {_CHAINS['ingress']}",
)
_PORTS_PER_RULE = 15  # what the multiport match takes
_COMMITTED = "\nCOMMIT\n"


def rules(match: Match, way: Way) -> tuple[str, ...]:
    """Return the iptables rules, in this direction's chain, that hand the matching packets to its queue."""
    if way not in match.ways:
        return ()
    protocols = ("tcp", "udp") if match.ports and match.protocol == "any" else (match.protocol,)
    batches = [match.ports[i : i + _PORTS_PER_RULE] for i in range(0, len(match.ports), _PORTS_PER_RULE)] or [()]
    side = "-d" if way == "egress" else "-s"
    found = []
    for protocol, peer, ports in itertools.product(protocols, match.peers or ("",), batches):
        words = [_CHAINS[way]]
        words += (side, peer) if peer else ()
        words += ("-p", protocol) if protocol != "any" else ()
        words += ("-m", "multiport", "--ports", ",".join(str(p) for p in ports)) if ports else ()
        # Bypass: should the worker die, packets pass and the verification says so, and nothing is blackholed.
        words += ("-j", "NFQUEUE", "--queue-num", str(QUEUES[way]), "--queue-bypass")
        found.append(" ".join(words))
    return tuple(found)


def script(matches: Sequence[Match], *, enter: bool = False) -> str:
    """Return what `iptables-restore --noflush` does at once so that our chains are those of these shapes.

    With `enter` the chains are led to; without any shape they are led to no more, and go.
    """
    lines = ["*mangle", *(f":{chain} - [0:0]" for chain in _CHAINS.values())]
    if not matches:
        lines += [f"-D {entry}" for entry in _ENTRIES]
        lines += [f"-X {chain}" for chain in _CHAINS.values()]
        return "\n".join(lines) + _COMMITTED
    wanted = dict.fromkeys(rule for way in _CHAINS for match in matches for rule in rules(match, way))
    lines += [f"-A {rule}" for rule in wanted]
    lines += [f"-A {entry}" for entry in _ENTRIES] if enter else []
    return "\n".join(lines) + _COMMITTED


class Post:
    """The worker of one namespace, and the shapes that it works on."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.shapes: dict[int, Shape] = {}
        self.entered = False
        self.lapses: dict[int, list[str]] = {}
        self._lost = 0
        self._numbers = itertools.count()

    def add(self, place: Common, shape: Shape) -> int:
        """Work on this shape too; return its number. Raises `CapabilityError` where there is no queue."""
        number = next(self._numbers)
        wanted = {**self.shapes, number: shape}
        if not self.shapes:
            _refuse_leftovers(place)
        if self.worker is not None and self.shapes:
            try:
                self._heard(self.worker.reshape(list(wanted.items())))
            except EngineError as err:
                self._dead(err)
        fresh = self.worker is None
        if self.worker is None:
            self.worker = hire(place.descriptor)
            self._heard(self.worker.reshape(list(wanted.items())))
        try:
            self._lead(place, wanted)
        except EngineError as err:
            if fresh and not self.shapes:
                self._end()
            raise CapabilityError(f"backend {_BACKEND}: {err.message}", remedy=_NEEDS) from err
        self.shapes, self.lapses[number] = wanted, []
        return number

    def remove(self, place: Common, number: int) -> tuple[Figures, list[str]]:
        """Work on this shape no more; return its figures and why it was not in force all the time."""
        del self.shapes[number]
        lapses = self.lapses.setdefault(number, [])
        try:
            self._lead(place, self.shapes)
        except EngineError as err:
            # Whether they are gone or cannot be removed, `leftovers` sees; either way they were not as we left them.
            lapses.append(f"its rules were not there to be taken away: {err.message}")
            if not self.shapes:
                place.do(_sweep)
        if self.worker is None:
            return {}, self.lapses.pop(number)
        figures: dict[int, Figures] = {}
        try:
            figures = self._heard(
                self.worker.reshape(list(self.shapes.items())) if self.shapes else self.worker.ask("end")
            )
        except EngineError as err:
            self._dead(err)
        if not self.shapes:
            self._end()
        return figures.get(number, {}), self.lapses.pop(number)

    def figures(self, number: int) -> Figures:
        """Return the figures of this shape so far; none from a dead worker."""
        if self.worker is None:
            return {}
        try:
            return self._heard(self.worker.ask("figures")).get(number, {})
        except EngineError as err:
            self._dead(err)
            return {}

    def _heard(self, answer: tuple[dict[int, Figures], int]) -> dict[int, Figures]:
        figures, lost = answer
        if lost > self._lost:
            for lapses in self.lapses.values():
                lapses.append(f"the queue was full and lost {lost - self._lost} packets")
            self._lost = lost
        return figures

    def _dead(self, err: EngineError) -> None:
        for lapses in self.lapses.values():
            lapses.append(err.message)
        self._end()

    def _end(self) -> None:
        if self.worker is not None:
            self.worker.close()
        self.worker, self._lost = None, 0

    def _lead(self, place: Common, shapes: dict[int, Shape]) -> None:
        text = script([shape.match for shape in shapes.values()], enter=not self.entered)
        self.entered = bool(shapes)
        # One transaction: all the rules or none.
        place.do(lambda: run(("iptables-restore", "--noflush", "-w"), stdin=text))


def _sweep() -> None:
    """Take away what is there of our rules and chains, one by one, whatever fails."""
    commands = [f"-D {entry}" for entry in _ENTRIES]
    commands += [f"{verb} {chain}" for chain in _CHAINS.values() for verb in ("-F", "-X")]
    for one in commands:
        succeeds(("iptables", "-w", "-t", "mangle", *one.split()))


def _refuse_leftovers(place: Common) -> None:
    if left := leftover_rules(place):
        raise EngineError(f"packets of this service are led to a queue of ours already: {left[0]}")


def leftover_rules(place: Common) -> tuple[str, ...]:
    """Return the rules that lead packets to a queue of ours; raises `CapabilityError` where they cannot be listed."""
    try:
        listing = place.do(lambda: run(("iptables-save", "-t", "mangle")))
    except EngineError as err:
        raise CapabilityError(f"backend {_BACKEND}: {err.message}", remedy=_NEEDS) from err
    marks = (*_CHAINS.values(), *(f"--queue-num {number} " for number in QUEUES.values()))
    return tuple(line for line in listing.splitlines() if any(mark in f"{line} " for mark in marks))


class QueueTraffic:
    """One shape on one container by NFQUEUE; `apply` and `remove` are whole."""

    backend = _BACKEND

    def __init__(self, place: Common, shape: Shape) -> None:
        self._place = place
        self._shape = shape
        self._number: int | None = None
        self.figures: dict[str, Json] = {}
        self.lapses: list[str] = []

    @property
    def _post(self) -> Post:
        return self._place.shared(Post)

    @property
    def worker(self) -> int:
        """The pid of the process that holds the packets; 0 when there is none."""
        return self._post.worker.pid if self._post.worker is not None else 0

    def apply(self) -> None:
        """Let the worker work on it, then lead packets there; raises `CapabilityError` where there is no queue."""
        with self._place.lock:
            self._number = self._post.add(self._place, self._shape)

    def counters(self) -> dict[str, Json]:
        """Return how many packets matched and on how many of them it bit, so far."""
        if self._number is None:
            return {}
        with self._place.lock:
            return dict(self._post.figures(self._number))

    def remove(self) -> None:
        """Take the rules away and let go what it holds; safe to call twice."""
        number, self._number = self._number, None
        if number is None:
            return
        with self._place.lock:
            figures, lapses = self._post.remove(self._place, number)
        self.figures.update(figures)
        self.lapses.extend(lapses)

    def leftovers(self) -> tuple[str, ...]:
        """Return the rules of ours that nobody needs any more and that are there all the same."""
        with self._place.lock:
            return () if self._post.shapes else leftover_rules(self._place)
