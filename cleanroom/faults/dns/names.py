"""Faults of names: the slot's resolver answers a target's questions otherwise; everybody else's as ever.

Services ask nobody else: their resolv.conf is ours and names the slot's gateway, so the engine's own resolver, which
knows its containers, is not in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.rung import Ladder, Rung, pinned
from cleanroom.faults.traffic.draw import uniforms
from cleanroom.faults.victim import visible_pid
from cleanroom.network.handle import Handle
from cleanroom.network.name_fault import NameFaultKind, NameRule, NameStrike, Reply, ask_name
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.network.ports import Names
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

BACKEND = "resolver"
PATIENCE = Duration(10**9)
_SLACK = Duration(2 * 10**9)
_KINDS: tuple[NameFaultKind, ...] = ("nxdomain", "servfail", "timeout", "delay", "spoof")
_WORDS = {"nxdomain": "NXDOMAIN", "servfail": "SERVFAIL", "timeout": "nothing"}


@dataclass(slots=True, kw_only=True)
class _Hit:
    """One target, the names that are asked to prove it, and what they were answered before."""

    name: str
    handle: Handle
    rule: NameRule
    before: Reply
    other: Reply | None
    strike: NameStrike | None = None


class NameTrouble:
    """One occurrence, on every target."""

    backend = BACKEND

    def __init__(self, event: FaultEvent, context: FaultContext, names: Names) -> None:
        self._event = event
        self._context = context
        self._names = names
        self._globs = tuple(glob.lower() for glob in cast("tuple[str, ...]", event.parameters["names"]))
        self._percent = cast("float", event.parameters["percent"])
        self._delay = cast("Duration", event.parameters.get("delay", Duration(0)))
        self._kind = cast("NameFaultKind", event.fault.kind.rpartition(".")[2])
        self._asked = struck_name(tuple(context.containers), self._globs)
        self._other = spared_name(tuple(context.containers), self._globs)
        self._hits: list[_Hit] = []
        self._runner: Reply | None = None
        self._ended = False
        self._lapses: list[str] = []

    def inject(self) -> None:
        """Ask for a name that matches and one that does not as they are, then let the resolver answer otherwise."""
        self._runner = self._ask(None, self._asked)
        for name in self._event.targets:
            container = self._context.containers[name]
            state = self._context.engine.inspect(container.id)
            handle = Handle(namespace_of_pid(visible_pid(state)))
            visible_pid(state)
            hit = _Hit(
                name=name, handle=handle, rule=self._rule(container.address), before=self._ask(handle, self._asked),
                other=self._ask(handle, self._other) if self._other else None,
            )  # fmt: skip
            self._hits.append(hit)
            self._check_before(hit)
        for hit in self._hits:
            hit.strike = self._names.strike_names(self._context.slot.index, hit.rule)

    def _rule(self, address: str) -> NameRule:
        return NameRule(
            client=address, kind=self._kind, matches=self._matches, struck=self._struck, delay=self._delay,
            address=str(self._event.parameters.get("address", "")),
        )  # fmt: skip

    def _matches(self, name: str) -> bool:
        return any(fnmatchcase(name, glob) for glob in self._globs)

    def _struck(self, index: int) -> bool:
        return uniforms(self._event.stream, index)[0] * 100 < self._percent

    def _check_before(self, hit: _Hit) -> None:
        if hit.before.words == "nothing":
            raise EngineError(f"{hit.name} has no answer for {self._asked} already, so another one could not be seen")
        if self._shows(hit, hit.before):
            raise EngineError(
                f"{hit.name} is told {hit.before.words} for {self._asked} already, so the fault could not be seen",
                remedy="`names` must match a name of this environment",
            )

    def _ask(self, handle: Handle | None, name: str, index: int = 0) -> Reply:
        patience = Duration(self._delay.ns + _SLACK.ns) if self._kind != "timeout" else PATIENCE
        ask: Callable[[], Reply] = partial(ask_name, self._context.slot.gateway, name, patience, index=index)
        return handle.do(ask) if handle is not None else ask()

    def _shows(self, hit: _Hit, found: Reply) -> bool:
        """Whether an answer is that of the fault."""
        if self._kind == "delay":
            return found.elapsed_ns >= self._delay.ns and found.words != "nothing"
        if self._kind == "spoof":
            return found.words == f"NOERROR {hit.rule.address}"
        return found.words == _WORDS[self._kind]

    def verify(self) -> Evidence:
        """Hold when a struck question of ours is answered so, and neither other names nor other clients are."""
        facts: dict[str, Json] = {"asked": self._asked, "spared": self._other}
        weak = []
        for hit in self._hits:
            weak += [f"{hit.name} {why}" for why in self._weak(hit, facts)]
        runner = self._ask(None, self._asked)
        facts["runner"] = runner.words
        if self._runner is not None and runner.words != self._runner.words:
            weak.append(f"the runner is told {runner.words} for {self._asked} as well")
        facts["affected"] = ",".join(sorted(hit.name for hit in self._hits))
        return Evidence(holds=not weak, facts=facts, reason="; ".join(weak))

    def _weak(self, hit: _Hit, facts: dict[str, Json]) -> list[str]:
        strike = hit.strike
        index = strike.example(struck=True) if strike is not None else None
        if strike is None or index is None:
            return [f"has no question that {self._percent:g} % strike"]
        weak = []
        during = self._ask(hit.handle, self._asked, index)
        facts |= {
            f"{hit.name}.before": hit.before.words,
            f"{hit.name}.during": during.words,
            f"{hit.name}.during_ms": round(during.elapsed_ns / 10**6, 3),
        }
        if not self._shows(hit, during):
            weak.append(f"is told {during.words} for {self._asked} after {during.elapsed_ns / 10**6:.0f} ms")
        missed = strike.example(struck=False)
        if missed is not None and self._kind != "delay":
            spared = self._ask(hit.handle, self._asked, missed)
            facts[f"{hit.name}.not_struck"] = spared.words
            if spared.words != hit.before.words:
                weak.append(f"is told {spared.words} where the seed strikes nothing")
        if self._other and hit.other is not None:
            other = self._ask(hit.handle, self._other)
            facts[f"{hit.name}.spared"] = other.words
            if other.words != hit.other.words:
                weak.append(f"is told {other.words} for {self._other}, which is not meant")
        facts |= _log(hit)
        return weak

    def revert(self) -> None:
        """Let the resolver answer as before; safe to call twice."""
        for hit in self._hits:
            if hit.strike is not None:
                if not self._ended and not any(one is hit.strike for one in self._rules()):
                    self._lapses.append(f"{hit.name}: its rule was not there any more to be taken away")
                self._names.calm_names(self._context.slot.index, hit.strike)

        self._ended = True

    def _rules(self) -> tuple[NameStrike, ...]:
        return self._names.strikes(self._context.slot.index)

    def verify_reversal(self) -> Evidence:
        """Hold when the resolver has no rule of ours, and answers a target that still runs as it did."""
        facts: dict[str, Json] = {}
        left = []
        for hit in self._hits:
            if hit.strike is not None and any(one is hit.strike for one in self._rules()):
                left.append(f"a rule for {hit.name}")
            facts |= _log(hit)
            facts[f"{hit.name}.after"] = self._after(hit)
            hit.handle.close()
        lapses = self._lapses or [f"{hit.name}: {why}" for hit in self._hits if (why := _unmet(hit))]
        reason = f"still there: {', '.join(left)}" if left else ""
        return Evidence(holds=not left, facts=facts, reason=reason, lapsed="; ".join(lapses))

    def _after(self, hit: _Hit) -> str:
        try:
            return self._ask(hit.handle, self._asked).words
        except NetworkError as err:
            return err.message  # a target that has died meanwhile has no network to ask over

    def recovery(self) -> Recovery | None:
        """Nothing has to recover: nobody may remember an answer of ours."""
        return None


def _unmet(hit: _Hit) -> str:
    """Say why nothing was struck: nobody can tell what the fault does to a service that never asked."""
    if hit.strike is None or hit.strike.struck:
        return ""
    return f"no question of its own was struck ({hit.strike.matched} matched): it may know the names from before"


def _log(hit: _Hit) -> dict[str, Json]:
    if hit.strike is None:
        return {}
    return {f"{hit.name}.questions_matched": hit.strike.matched, f"{hit.name}.questions_struck": hit.strike.struck}


def struck_name(services: tuple[str, ...], globs: tuple[str, ...]) -> str:
    """Return a name that the globs match: of a service if there is one, else one made from the first glob."""
    named = (name for name in sorted(services) if any(fnmatchcase(name.lower(), glob) for glob in globs))
    return next(named, globs[0].replace("*", "cleanroom").replace("?", "x"))


def spared_name(services: tuple[str, ...], globs: tuple[str, ...]) -> str:
    """Return a name that no glob matches, of a service if there is one; "" when the globs match everything."""
    candidates = (*sorted(services), "cleanroom-spared.invalid")
    return next((name for name in candidates if not any(fnmatchcase(name.lower(), glob) for glob in globs)), "")


def open_names(event: FaultEvent, context: FaultContext) -> NameTrouble:
    """Return the fault; raises `CapabilityError` for another backend and where services ask a resolver not ours."""
    pinned(event, BACKEND)
    if context.names is None:
        raise CapabilityError(f"{event.fault.kind} needs the slot's own resolver, and there is none here")
    return NameTrouble(event, context, context.names)


LADDERS = tuple(
    Ladder(
        kind=f"dns.{kind}",
        rungs=(
            Rung(
                name=BACKEND,
                mechanism="the slot's resolver answers the target's questions otherwise, decided by index of question",
                needs=(),
                proof="questions of ours asked inside the target: a struck one, a spared one, and one of ours outside",
            ),
        ),
        open=open_names,
    )
    for kind in _KINDS
)
