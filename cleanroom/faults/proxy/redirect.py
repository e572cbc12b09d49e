"""The rules that lead connections of a container to the proxy, in a table of our own in the container's network."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.proxy.claim import Inside
from cleanroom.faults.proxy.sockets import Pair, Sockets, sockets_here
from cleanroom.faults.proxy.wire import MARK
from cleanroom.network.command import run, succeeds

TABLE = "clr_proxy"
_NEEDS = "nftables and a kernel with nft_redir, nft_nat and nft_reject are needed"
_NEW = "tcp flags & (fin | syn | rst | ack) == syn"
# The reset that a rule sends passes the other rule on its way.
_NO_RESET = "tcp flags & rst == 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Which connections; empty ports and peers are all of them."""

    ports: tuple[int, ...] = ()
    """The container's own port, of connections to it; the other side's, of connections that it makes."""
    peers: tuple[str, ...] = ()
    outgoing: bool = False
    """Also those that the container makes."""
    own: str
    """The container's address."""
    spared: tuple[str, ...] = ()
    """Addresses that connections it makes are never struck on the way to: those of our own instruments."""

    def takes(self, pair: Pair, listening: frozenset[int]) -> bool:
        """Whether an existing connection is one of these."""
        if pair.local != self.own or pair.remote == self.own:
            return False
        if self.peers and pair.remote not in self.peers:
            return False
        if pair.local_port in listening:
            return not self.ports or pair.local_port in self.ports
        return self.outgoing and pair.remote not in self.spared and (not self.ports or pair.remote_port in self.ports)


def rules(lead: Lead, port: int) -> str:
    """Return the table as nftables reads it: what is new is led to `port`, what was there before is reset."""
    ports = f"tcp dport {{ {', '.join(map(str, lead.ports))} }} " if lead.ports else ""
    source, to = (f"ip {side} {{ {', '.join(lead.peers)} }} " if lead.peers else "" for side in ("saddr", "daddr"))
    spared = f"ip daddr != {{ {', '.join(lead.spared)} }} " if lead.spared else ""
    end = f"{_NEW} counter redirect to :{port}"
    arriving = f'iifname != "lo" {source}{ports}{end}'
    leaving = f'oifname != "lo" meta mark != {MARK:#x} {to}{spared}{ports}{end}' if lead.outgoing else ""
    return f"""create table ip {TABLE}
table ip {TABLE} {{
    set old {{
        type ipv4_addr . inet_service . inet_service
    }}
    chain arriving {{
        type nat hook prerouting priority -100
        {arriving}
    }}
    chain leaving {{
        type nat hook output priority -100
        {leaving}
    }}
    chain old_in {{
        type filter hook input priority 0
        {_NO_RESET} ip saddr . tcp sport . tcp dport @old counter reject with tcp reset
    }}
    chain old_out {{
        type filter hook output priority 0
        {_NO_RESET} ip daddr . tcp dport . tcp sport @old counter reject with tcp reset
    }}
}}
"""


class Redirect:
    """The table while it is there."""

    def __init__(self, place: Inside, lead: Lead) -> None:
        self._place = place
        self._lead = lead
        self._made = False
        self.old = 0
        """How many connections were there before, and are reset as soon as one side says something."""
        self.figures: dict[str, Json] = {}

    @property
    def leads_outgoing(self) -> bool:
        """Whether connections that the container makes are led to the proxy too."""
        return self._lead.outgoing

    def put_up(self, port: int) -> None:
        """Lead new connections to `port`; raises `CapabilityError` where the kernel has no such rules."""
        if self.there():
            raise EngineError("connections of this service are led to a proxy of ours already; it was not taken back")
        try:
            # One transaction: all the rules or none.
            self._nft("-f", "-", stdin=rules(self._lead, port))
        except NetworkError as err:
            raise CapabilityError(f"backend proxy: {err.message}", remedy=_NEEDS) from err
        self._made = True
        # Looked at now: whatever is open and was not led to the proxy was there before the rules.
        found = self._place.do(sockets_here)
        old = sorted(pair for pair in found.open if self._lead.takes(pair, found.listening) and pair.local_port != port)
        if old:
            elements = ", ".join(f"{pair.remote} . {pair.remote_port} . {pair.local_port}" for pair in old)
            self._nft("add", "element", "ip", TABLE, "old", f"{{ {elements} }}")
        self.old = len(old)

    def stop(self) -> bool:
        """Lead nothing more to the proxy, and still know what has been led; return whether the rules were there."""
        if not self._made:
            return True
        try:
            self.figures = self._counted()
            chains = ("arriving", "leaving", "old_in", "old_out")
            self._nft("-f", "-", stdin="".join(f"flush chain ip {TABLE} {chain}\n" for chain in chains))
        except NetworkError:
            return False
        return True

    def take_down(self) -> None:
        """Take the table away; safe to call twice."""
        if self._made and self.there():
            self._nft("delete", "table", "ip", TABLE)
        self._made = False

    def there(self) -> bool:
        """Whether the namespace has the table."""
        return self._place.do(lambda: succeeds(("nft", "list", "table", "ip", TABLE)))

    def sockets(self) -> Sockets:
        """Return the namespace's sockets as they are now."""
        return self._place.do(sockets_here)

    def _counted(self) -> dict[str, Json]:
        listed = json.loads(self._nft("-j", "list", "table", "ip", TABLE))
        found: dict[str, Json] = {}
        for one in listed["nftables"]:
            rule = one.get("rule", {})
            for part in rule.get("expr", ()):
                if "counter" in part:
                    found[rule["chain"]] = part["counter"]["packets"]
        return found

    def _nft(self, *words: str, stdin: str = "") -> str:
        return self._place.do(lambda: run(("nft", *words), stdin=stdin))
