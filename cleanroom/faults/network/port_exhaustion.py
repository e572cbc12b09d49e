"""`network.port_exhaustion(leave)`: the range of local ports has so many left, and no more."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults import needs
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.rung import Ladder, Rung, pinned
from cleanroom.faults.victim import interrupted, visible_pid
from cleanroom.network.handle import Handle
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.plan.model import FaultEvent

BACKEND = "sysctl"
PROVABLE = 500
"""The most ports that evidence takes at once."""
_SYSTEM = Path("/proc/sys/net/ipv4")
_NAMES = ("ip_local_port_range", "ip_local_reserved_ports")
_claims: set[str] = set()
"""The containers whose settings are those of a fault."""
_claiming = threading.Lock()


@dataclass(slots=True)
class _Hit:
    name: str
    container: str
    started_at: str
    pid: int
    handle: Handle
    before: dict[str, str] = field(default_factory=dict)
    during: dict[str, str] = field(default_factory=dict)
    claimed: bool = False
    changed: bool = False


def window(used: frozenset[int], low: int, high: int, leave: int) -> tuple[str, str]:
    """Return the range and the reserved ports that leave so many ports of `low` to `high` free for new connections.

    The kernel takes an odd port and an even one in turns and passes the last of an odd range over: an odd number is an
    even range with a port that is reserved. Raises `EngineError` when there are not as many free in a row.
    """
    size = leave if leave == 1 else leave + leave % 2 or 1
    for first in range(high - size + 1, low - 1, -1):
        if not any(port in used for port in range(first, first + size)):
            reserved = first if size > leave else 0
            return f"{first} {first + size - 1}", str(reserved or "")
    raise EngineError(f"there are no {size} free ports in a row from {low} to {high}")


class PortExhaustion:
    """One occurrence: the two settings of each target's network namespace, kept as they were."""

    backend = BACKEND

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._leave = cast("int", event.parameters.get("leave", 0))
        self._hits: list[_Hit] = []
        self._lapses: list[str] = []

    def inject(self) -> None:
        """Choose free ports, and make them the only ones."""
        for name in self._event.targets:
            state = self._context.engine.inspect(self._context.containers[name].id)
            pid = visible_pid(state)
            hit = _Hit(name, state.id, state.started_at, pid, Handle(namespace_of_pid(pid)))
            self._hits.append(hit)
            visible_pid(state)
            _claim(hit)
            hit.before = hit.handle.do(_read)
            low, high = (int(word) for word in hit.before["ip_local_port_range"].split())
            ports, reserved = window(used_ports(pid), low, high, self._leave)
            kept = hit.before["ip_local_reserved_ports"]
            after = {"ip_local_reserved_ports": ",".join(word for word in (kept, reserved) if word)}
            hit.changed = True
            _write_in(hit.handle, {**after, "ip_local_port_range": ports})
            hit.during = hit.handle.do(_read)

    def verify(self) -> Evidence:
        """Hold when no more connections than `leave` can be begun inside, and the next one has no address."""
        facts: dict[str, Json] = {"leave": self._leave}
        weak = []
        for hit in self._hits:
            begun, word = hit.handle.do(lambda: begin(self._leave + 1))
            facts |= {
                f"{hit.name}.range_before": " ".join(hit.before["ip_local_port_range"].split()),
                f"{hit.name}.range_during": " ".join(hit.handle.do(_read)["ip_local_port_range"].split()),
                f"{hit.name}.begun": begun,
                f"{hit.name}.then": word,
            }
            if word != "EADDRNOTAVAIL":
                weak.append(f"{hit.name} could begin {begun} connections ({word or 'and more'})")
        facts["affected"] = ",".join(hit.name for hit in self._hits)
        return Evidence(holds=not weak, facts=facts, reason="; ".join(weak))

    def revert(self) -> None:
        """Write back what was there; safe to call twice."""
        failed = []
        for hit in self._hits:
            if hit.changed:
                try:
                    if hit.during and hit.handle.do(_read) != hit.during:
                        self._lapses.append(f"{hit.name}: somebody has changed the settings of the fault")
                    _write_in(hit.handle, hit.before)
                    hit.changed = False
                except EngineError as err:
                    failed.append(err.message)
            if hit.claimed and not hit.changed:
                hit.claimed = False
                _claims.discard(hit.container)
        if failed:
            raise EngineError("; ".join(failed))

    def verify_reversal(self) -> Evidence:
        """Hold when both settings are what they were, letter by letter."""
        left, facts = [], dict[str, Json]()
        for hit in self._hits:
            now = hit.handle.do(_read)
            facts[f"{hit.name}.range_after"] = " ".join(now["ip_local_port_range"].split())
            left += [f"{hit.name}: {name} is {now[name]!r}" for name in hit.before if now[name] != hit.before[name]]
            if words := interrupted(self._context, hit.name, hit.container, hit.started_at):
                self._lapses.append(f"{hit.name}: {words}")
            hit.handle.close()
        reason = f"still there: {', '.join(left)}" if left else ""
        return Evidence(holds=not left, facts=facts, reason=reason, lapsed="; ".join(self._lapses))

    def recovery(self) -> Recovery | None:
        """Nothing has to recover: what was open stays open."""
        return None


def _claim(hit: _Hit) -> None:
    """Take the settings for one fault: a second would find those of the first, and put them back when they are over."""
    with _claiming:
        if hit.container in _claims:
            raise CapabilityError(
                f"another fault has taken the ports of {hit.name} already",
                remedy="end the first before the second starts (`for:` or `until:`)",
            )
        _claims.add(hit.container)
        hit.claimed = True


def _read() -> dict[str, str]:
    return {name: (_SYSTEM / name).read_text(encoding="ascii").strip() for name in _NAMES}


def _write_in(handle: Handle, values: dict[str, str]) -> None:
    def write() -> None:
        for name, value in values.items():
            # An empty list of ports is a newline: nothing at all would be no write.
            (_SYSTEM / name).write_text(f"{value}\n", encoding="ascii")

    try:
        handle.do(write)
    except OSError as err:
        raise EngineError(
            f"{err.filename or 'a setting'} cannot be written: {err.strerror}",
            remedy="/proc/sys must be writable (engine cell or own)",
        ) from err


def used_ports(pid: int) -> frozenset[int]:
    """Return the local ports of every socket in the network namespace of `pid`."""
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        with contextlib.suppress(OSError):  # a namespace without IPv6 has no such file
            lines = Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
            found |= {int(line.split()[1].split(":")[1], 16) for line in lines}
    return frozenset(found)


def begin(number: int) -> tuple[int, str]:
    """Begin connections to a listener of our own here, and hold them; return how many, and the error's name."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        # A port by name: those of the range are not to be had.
        for port in range(1, 1024):
            with contextlib.suppress(OSError):
                server.bind(("127.0.0.1", port))
                break
        server.listen(1)
        for begun in range(number):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sock.settimeout(0)
            code = sock.connect_ex(server.getsockname())
            if code not in (0, errno.EINPROGRESS):
                return begun, errno.errorcode.get(code, str(code))
    return number, ""


def open_exhaustion(event: FaultEvent, context: FaultContext) -> PortExhaustion:
    """Return the fault; raises `CapabilityError` for a backend that it does not have and for what cannot be proven."""
    pinned(event, BACKEND)
    leave = cast("int", event.parameters.get("leave", 0))
    if event.fault.verify and leave > PROVABLE:
        raise CapabilityError(
            f"{leave} free ports would have to be taken to prove that there are no more, and {PROVABLE} is the most",
            remedy="leave fewer, or say `verify: false` with a reason",
        )
    return PortExhaustion(event, context)


LADDER = Ladder(
    kind="network.port_exhaustion",
    rungs=(
        Rung(
            name=BACKEND,
            mechanism="net.ipv4.ip_local_port_range of the target's namespace is as small as what is to be left",
            needs=(needs.PIDS, needs.SYSCTL),
            proof="connections begun inside by us: after so many the next has no address to begin from",
        ),
    ),
    open=open_exhaustion,
)
