"""A fault's own nftables in the namespace of one container: put up at once, counted, and taken down at once."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.errors import CapabilityError, NetworkError
from cleanroom.faults.traffic.place import Inside
from cleanroom.network.command import run

BACKEND = "nftables"
Hook: TypeAlias = Literal["input", "output", "egress"]
"""`egress` is behind the packet's way through the kernel: what is dropped there is lost without a word to its sender,
as on a wire; what is dropped at `output` is an error of the program's own call."""

# A container of ours has one network, so one interface.
_DEVICE = "eth0"
_FAMILY: dict[Hook, str] = {"input": "inet", "output": "inet", "egress": "netdev"}
# Before the filters that an image's own program may have set up.
_PRIORITY = -150
INTERFACE_GONE = "its interface was taken away, and its rules with it"
_NAME = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What happens to packets that match: counted under a name, then `verdict` (nothing more when it is empty)."""

    hook: Hook
    match: str
    counter: str = ""
    verdict: str = ""

    @property
    def text(self) -> str:
        """The rule as nft reads it."""
        counted = f"counter name {identifier(self.counter)}" if self.counter else ""
        return " ".join(word for word in (self.match, counted, self.verdict) if word)


def identifier(name: str) -> str:
    """Return the name as nftables takes it."""
    return _NAME.sub("_", name)


def table_name(kind: str, fault: str, stream: str) -> str:
    """Return the name of an occurrence's table: by it what is left behind is known for whose it is."""
    return f"clr_{identifier(kind.rpartition('.')[2])}_{identifier(fault)}_{stream[:8]}"


def render(name: str, rules: tuple[Rule, ...], sets: tuple[str, ...] = ()) -> str:
    """Return the `nft -f` script of a table with these rules, in order; `sets` are declarations for it."""
    parts: list[str] = []
    for family in dict.fromkeys(_FAMILY[rule.hook] for rule in rules):
        own = [rule for rule in rules if _FAMILY[rule.hook] == family]
        parts.append(f"table {family} {name} {{")
        parts += [f"  counter {one} {{ }}" for one in dict.fromkeys(identifier(r.counter) for r in own if r.counter)]
        parts += [f"  {text}" for text in sets if family == "inet"]
        for hook in dict.fromkeys(rule.hook for rule in own):
            device = f' device "{_DEVICE}"' if hook == "egress" else ""
            parts += [f"  chain {hook} {{", f"    type filter hook {hook}{device} priority {_PRIORITY}; policy accept;"]
            parts += [f"    {rule.text}" for rule in own if rule.hook == hook]
            parts.append("  }")
        parts.append("}")
    return "\n".join(parts) + "\n"


def interface(inside: Inside) -> int:
    """Return the number of the namespace's one interface, which is never used again; 0 while it has none."""

    def number() -> int:
        try:
            return socket.if_nametoindex(_DEVICE)
        except OSError:
            return 0

    return inside.do(number)


class Table:
    """The table of one occurrence in one namespace."""

    def __init__(self, inside: Inside, name: str, script: str) -> None:
        self._inside = inside
        self.name = name
        self._script = script
        self._up = False
        self._last: dict[str, int] = {}
        self._made = 0
        self._index = 0
        self.lapses: list[str] = []
        """Why it was not in force all the time until `remove`."""

    def apply(self) -> None:
        """Put it up in one transaction; raises `CapabilityError` with the kernel's reason when it cannot be had."""
        self._up = True
        try:
            self._nft("-f", "-", stdin=self._script)
        except NetworkError as err:
            self._up = False
            raise CapabilityError(
                f"backend {BACKEND}: {err.message}",
                remedy="a kernel with nftables (nft_reject, nft_ct, nft_connlimit, netdev egress) is needed",
            ) from err
        self._made = self._rules(self._families())
        self._index = interface(self._inside)

    def _rules(self, families: tuple[str, ...]) -> int:
        """How many rules there are: a table may stay while its rules are flushed, or go with their interface."""
        listed = [json.loads(self._nft("-j", "list", "table", family, self.name)) for family in families]
        return sum("rule" in one for found in listed for one in found["nftables"])

    def counts(self) -> dict[str, int]:
        """Return how many packets each counter has seen; what was last seen once the table is gone."""
        families = self._families()
        if families:
            found: dict[str, int] = {}
            for family in families:
                listed = json.loads(self._nft("-j", "list", "counters", "table", family, self.name))
                counters = [one["counter"] for one in listed["nftables"] if "counter" in one]
                found |= {str(c["name"]): int(c["packets"]) for c in counters if c["table"] == self.name}
            self._last = found
        return dict(self._last)

    def remove(self) -> None:
        """Take it down; safe to call twice."""
        if not self._up:
            return
        self._up = False
        families = self._families()
        if not families:
            self.lapses.append("its rules were not there any more to be taken away")
            return
        if self._rules(families) < self._made:
            self.lapses.append("some of its rules were not there any more to be taken away")
        if "netdev" in families and interface(self._inside) != self._index:
            self.lapses.append(INTERFACE_GONE)
        self.counts()
        self._nft("-f", "-", stdin="".join(f"delete table {family} {self.name}\n" for family in families))

    def leftovers(self) -> tuple[str, ...]:
        """Return the tables of this name that the namespace still has."""
        return tuple(f"table {family} {self.name}" for family in self._families())

    def _families(self) -> tuple[str, ...]:
        listed = json.loads(self._nft("-j", "list", "tables"))["nftables"]
        tables = [one["table"] for one in listed if "table" in one]
        return tuple(str(one["family"]) for one in tables if one["name"] == self.name)

    def _nft(self, *arguments: str, stdin: str = "") -> str:
        return self._inside.do(lambda: run(("nft", *arguments), stdin=stdin))
