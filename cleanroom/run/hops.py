"""How far a failure spreads: each service's readiness is asked again and again, and when it first failed is kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.clock import Deadline, SystemClock
from cleanroom.quantity import Duration
from cleanroom.run.occurrence import ChaosPorts

PAUSE_S = 0.02
JOIN_S = 10.0
_THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """When a service was first seen affected, and in what way."""

    at_ns: int
    why: str


class HopWatch:
    """Watches the dependents of a cascade in their order, and every other service."""

    def __init__(
        self, dependents: tuple[str, ...], watched: tuple[str, ...], ports: ChaosPorts, delay: Duration
    ) -> None:
        """`watched` are all services that are not struck; each hop is looked for `delay` after the one before it."""
        self._dependents = dependents
        self._watched = tuple(dict.fromkeys((*dependents, *watched)))
        self._ports = ports
        self._delay = delay
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._asked: dict[str, int] = {}
        self._seen: dict[str, _Seen] = {}
        self._ill: dict[str, str] = {}

    def begin(self) -> None:
        """Ask everybody once, while all should be well, and then go on asking."""
        with ThreadPoolExecutor(min(_THREADS, max(1, len(self._watched)))) as pool:
            answers = dict(zip(self._watched, pool.map(self._ports.ready, self._watched), strict=True))
        self._ill = {name: why for name, why in answers.items() if why}
        for name in self._watched:
            thread = threading.Thread(target=self._watch, args=(name,), name="hop", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _watch(self, name: str) -> None:
        depth = self._dependents.index(name) + 1 if name in self._dependents else 0
        if self._over.wait(self._delay.seconds * depth):
            return
        while not self._over.is_set():
            why = self._ports.ready(name)
            self._asked[name] = self._asked.get(name, 0) + 1
            if why and not self._over.is_set():
                self._seen[name] = _Seen(at_ns=self._ports.clock.now_ns(), why=why)
                return
            self._over.wait(PAUSE_S)

    def end(self) -> None:
        """Stop asking."""
        self._over.set()
        deadline = Deadline.after(SystemClock(), JOIN_S)
        for thread in self._threads:
            thread.join(deadline.remaining())

    def found(self, struck_ns: int) -> tuple[dict[str, Json], str]:
        """Return the hops, counted from when the root was struck, and why they prove no cascade; empty when they do."""
        facts: dict[str, Json] = {}
        depth, before, why = 0, 0, ""
        for name in self._dependents:
            seen = self._seen.get(name)
            facts[f"{name}.asked"] = self._asked.get(name, 0)
            facts[f"{name}.affected_after_ms"] = round((seen.at_ns - struck_ns) / 10**6, 3) if seen else None
            if name in self._ill:
                why = why or f"{name} was not ready before the strike: {self._ill[name]}"
            elif seen is None:
                why = why or f"{name} was not affected"
            elif seen.at_ns < max(before, struck_ns):
                why = why or f"{name} was affected before {self._dependents[depth - 1] if depth else 'the root'}"
            elif not why:
                depth, before = depth + 1, seen.at_ns
        order = sorted((n for n in self._dependents if n in self._seen), key=lambda n: self._seen[n].at_ns)
        others = sorted(name for name in self._seen if name not in self._dependents)
        facts |= {"depth": depth, "order": ", ".join(order), "others_affected": ", ".join(others) or "none"}
        return facts, why
