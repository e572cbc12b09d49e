"""The proof that a slot has no way out: what is tried, what counts as a way out, and what the wall must have seen."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeAlias

from dnslib import DNSError, DNSRecord

from cleanroom.errors import NetworkError
from cleanroom.network.bridge import METADATA_ADDRESS, link_local
from cleanroom.network.ports import Drop, Network, ProbeRunner, Proof, Slot, Vector
from cleanroom.network.resolver import AUTHORITY

KNOWN_NAME = "gateway.cleanroom.invalid"
"""Answered by the resolver during the proof: it shows that the probe's questions arrive at all."""
UNKNOWN_NAME = "way-out.example.com"
_EMBEDDED_RESOLVER = "127.0.0.11"
_TIMEOUT_S = 0.4
# Of what answers when all is well: our own resolver and receiver, which a loaded machine can keep waiting.
_PATIENCE_S = 20.0
_OPEN = frozenset({"connected", "answered", "refused"})
"""Outcomes that somebody beyond the wall must have caused; a refusal is an answer too."""
_ROUTED = "198.51.100.1", "203.0.113.1"
Attempt: TypeAlias = dict[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the probe says of one attempt."""

    protocol: str
    destination: str
    port: int
    outcome: str
    detail: str


def attempts(slot: Slot, others: tuple[Slot, ...], closed_port: int, gateway_v6: str) -> tuple[Attempt, ...]:
    """Return every way out to try from `slot`; on `closed_port` of its gateway somebody of ours listens."""
    low, high = _ROUTED
    tcp = [(high, 443), (low, 80), (METADATA_ADDRESS, 80), (slot.gateway, 22), (slot.gateway, 2375)]
    tcp += [(slot.gateway, closed_port), ("2001:db8::1", 443), (gateway_v6, 4318)]
    tcp += [(other.gateway, port) for other in others[:1] for port in (4318, 53)]
    udp = [(high, 53), (low, 123), (METADATA_ADDRESS, 53), (slot.gateway, closed_port), ("2001:db8::1", 53)]
    udp += [(other.gateway, 53) for other in others[:1]]
    icmp = [high, METADATA_ADDRESS, slot.gateway]
    dns = [_EMBEDDED_RESOLVER, "203.0.113.53"]
    return (
        *(_attempt("tcp", *where) for where in tcp),
        *(_attempt("udp", *where) for where in udp),
        *(_attempt("icmp", address, 0) for address in icmp),
        *(_attempt("icmpv6", address, 0) for address in ("2001:db8::1", gateway_v6)),
        # The first is ours and says no, in its own time; the others say nothing, which is soon known.
        _attempt("dns", slot.gateway, 53, UNKNOWN_NAME, _PATIENCE_S),
        *(_attempt("dns", server, 53, UNKNOWN_NAME) for server in dns),
    )


def controls(slot: Slot) -> tuple[Attempt, ...]:
    """Return what must work, or the probe's failures would say nothing."""
    return (
        _attempt("dns", slot.gateway, 53, KNOWN_NAME, _PATIENCE_S),
        _attempt("tcp", slot.gateway, 4318, timeout=_PATIENCE_S),
    )


def _attempt(protocol: str, destination: str, port: int, name: str = "", timeout: float = _TIMEOUT_S) -> Attempt:
    return {"protocol": protocol, "destination": destination, "port": port, "name": name, "timeout": timeout}


def render_script(tried: tuple[Attempt, ...], must_work: tuple[Attempt, ...]) -> str:
    """Return the Python text of the probe with its plan."""
    source = files("cleanroom.network").joinpath("probe.py").read_text(encoding="utf-8")
    plan = {"attempts": (*tried, *must_work)}
    return f"{source}\n\nmain({json.dumps(plan)!r})\n"


def parse_outcomes(text: str, expected: tuple[Attempt, ...]) -> tuple[Outcome, ...]:
    """Return what the probe printed; raises NetworkError unless it is one outcome for each expected attempt."""
    try:
        found = tuple(Outcome(**item) for item in json.loads(text))
    except (TypeError, ValueError) as err:
        raise NetworkError(f"the probe did not print its results: {err}; it printed {text[:200]!r}") from err
    wanted = [(a["protocol"], a["destination"], a["port"]) for a in expected]
    if [(o.protocol, o.destination, o.port) for o in found] != wanted:
        raise NetworkError(f"the probe has {len(found)} results for {len(wanted)} attempts, or not those asked for")
    return found


def judge(outcome: Outcome) -> Vector:
    """Return the attempt as a vector, open if anybody answered it other than our resolver with its denial."""
    is_open, detail = outcome.outcome in _OPEN, f"{outcome.outcome} {outcome.detail}".strip()
    if outcome.protocol == "dns" and outcome.outcome == "answered":
        denied, words = _our_denial(outcome.detail)
        is_open, detail = not denied, f"answered {words}"
    elif outcome.destination == _EMBEDDED_RESOLVER:
        # Inside the container: a refusal there means that no engine put a resolver into it.
        is_open = False
    return Vector(
        protocol=outcome.protocol,
        destination=outcome.destination,
        port=outcome.port,
        open=is_open,
        detail=detail,
    )


def _our_denial(reply: str) -> tuple[bool, str]:
    try:
        message = DNSRecord.parse(bytes.fromhex(reply))
    except (DNSError, ValueError) as err:
        return False, f"with something that is no DNS message: {err}"
    code = int(message.header.rcode)
    ours = any(str(record.rname) == AUTHORITY for record in message.auth)
    # SERVFAIL (2) and REFUSED (5) tell nobody anything, whoever says so.
    return not message.rr and (ours or code in (2, 5)), f"rcode {code}{' of our resolver' if ours else ''}"


def unseen(vectors: tuple[Vector, ...], drops: tuple[Drop, ...]) -> tuple[Vector, ...]:
    """Return the IPv4 vectors that had to meet the wall and that the wall knows nothing of.

    Those to the resolvers inside and IPv6 ones (which an engine's container cannot even send) need not meet it.
    """
    seen = {(drop.destination, drop.protocol, drop.port) for drop in drops if drop.via == "firewall"}
    return tuple(v for v in vectors if not v.open and not _exempt(v) and _key(v) not in seen)


def _exempt(vector: Vector) -> bool:
    asked_inside = vector.protocol == "dns" and "answered" in vector.detail
    return ":" in vector.destination or vector.destination == _EMBEDDED_RESOLVER or asked_inside


def _key(vector: Vector) -> tuple[str, str, int]:
    return vector.destination, "udp" if vector.protocol == "dns" else vector.protocol, vector.port


def prove(network: Network, runner: ProbeRunner, *, slot: int = 0) -> Proof:
    """Try every way out of `slot` and return what happened; `ways_out` must be 0 before a service starts.

    Opens and closes the slot. Raises NetworkError when the proof proves nothing: what must work did not, the probe
    could not try, or the wall did not see what was tried. While it runs, nobody else may begin to listen on the
    gateway's port 4318 (a collector that already does is used).
    """
    slots = network.slots()
    here = slots[slot]
    others = tuple(other for other in slots if other.index != slot)
    with _listeners(here.gateway) as (stream, datagrams):
        tried = attempts(here, others, stream.getsockname()[1], link_local(here.bridge))
        must_work = controls(here)
        network.open(slot, {KNOWN_NAME: here.gateway})
        try:
            output = runner.run(render_script(tried, must_work), here)
        finally:
            drops = network.close(slot)
        leaked = _received(datagrams)
    outcomes = parse_outcomes(output, (*tried, *must_work))
    _check_controls(outcomes[len(tried) :], here)
    vectors = tuple(judge(outcome) for outcome in outcomes[: len(tried)])
    vectors = tuple(_with_leak(vector, here, datagrams_port=leaked) for vector in vectors)
    return _checked(vectors, drops)


def _checked(vectors: tuple[Vector, ...], drops: tuple[Drop, ...]) -> Proof:
    missed = unseen(vectors, drops)
    denied = any(drop.via == "resolver" and drop.name == UNKNOWN_NAME for drop in drops)
    proof = Proof(vectors=vectors, dropped=sum(drop.count for drop in drops if drop.via == "firewall"))
    # A way out is the more telling result, and it explains why the wall did not see everything.
    if proof.ways_out == 0 and (missed or not denied):
        names = [f"{v.protocol} {v.destination}:{v.port} ({v.detail})" for v in missed]
        raise NetworkError(
            f"the proof has nothing to show: the wall did not see {', '.join(names) or f'the question {UNKNOWN_NAME}'}",
            remedy="the probe needs a default route to the gateway and CAP_NET_RAW",
        )
    return proof


def _check_controls(outcomes: tuple[Outcome, ...], slot: Slot) -> None:
    question, otlp = outcomes
    if otlp.outcome != "connected":
        raise NetworkError(f"the probe cannot reach OTLP at {slot.gateway}:4318: {otlp.outcome} {otlp.detail}")
    try:
        found = [str(r.rdata) for r in DNSRecord.parse(bytes.fromhex(question.detail)).rr]
    except (DNSError, ValueError):
        found = []
    if found != [slot.gateway]:
        raise NetworkError(f"the probe asked our resolver for {KNOWN_NAME}: {question.outcome} {question.detail}")


def _with_leak(vector: Vector, slot: Slot, *, datagrams_port: int) -> Vector:
    if (vector.protocol, vector.destination, vector.port) != ("udp", slot.gateway, datagrams_port):
        return vector
    return Vector(
        protocol="udp",
        destination=vector.destination,
        port=vector.port,
        open=True,
        detail="our own listener received it",
    )


@contextlib.contextmanager
def _listeners(gateway: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Listen on a port of the gateway that the wall must close, for TCP and UDP, and on 4318 if nobody does yet."""
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(socket.create_server((gateway, 0)))
            datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            datagrams.bind((gateway, stream.getsockname()[1]))
            # Without the wall it can be reached: otherwise its silence would be no sign of the wall.
            socket.create_connection(stream.getsockname(), timeout=_PATIENCE_S).close()
        except OSError as err:
            raise NetworkError(f"cannot listen on the gateway {gateway} for the proof: {err}") from err
        # In use: the collector is there already, which is as good.
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server((gateway, 4318)))
        yield stream, datagrams


def _received(datagrams: socket.socket) -> int:
    """Return the port of the listener if a packet came in, else 0."""
    try:
        datagrams.recv(4096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0
    return int(datagrams.getsockname()[1])
