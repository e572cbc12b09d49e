"""A slot's DNS server on its gateway: answers the environment's names, denies the rest and remembers who asked.

What is not an environment's name gets NXDOMAIN with a SOA record of ours: glibc and musl give up at once with
EAI_NONAME ("Name or service not known"), whereas REFUSED makes glibc report EAI_AGAIN, which programs retry, and makes
musl wait for its timeout. The SOA tells the proof that the denial is ours and not that of a resolver further away.
"""

from __future__ import annotations

import contextlib
import heapq
import ipaddress
import itertools
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType

from dnslib import CLASS, PTR, QTYPE, RCODE, RR, SOA, A, DNSError, DNSRecord

from cleanroom.errors import NetworkError
from cleanroom.network.name_fault import NameRule, NameStrike, own_index, struck_reply
from cleanroom.network.ports import Drop

AUTHORITY = "cleanroom.invalid."
"""The SOA's zone: whoever sees it knows that the answer is ours."""
_MAX_REFUSALS = 1000
_MAX_CONNECTIONS = 32
_MAX_LATE = 10_000
_TRIES = 20
_TTL = 0
"""Seconds a client may remember an answer: none, so that a change of behaviour bites at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """What a resolver knows: service names to addresses, and the subnet whose reverse lookups are nobody's escape."""

    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    subnet: str = "127.0.0.0/8"

    def address(self, name: str) -> str | None:
        """Return the address of `name`, compared without case and without the final dot."""
        wanted = name.rstrip(".").lower()
        return next((a for n, a in self.names.items() if n.lower() == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bytes to send back (none for what is no question), and the name that was denied, if one was."""

    reply: bytes | None = None
    denied: str = ""


def answer(question: bytes, zone: Zone) -> Answer:
    """Return the answer to a DNS message; never raises, whatever the bytes are."""
    try:
        asked = DNSRecord.parse(question)
        if asked.header.qr or len(asked.questions) != 1:
            return Answer()
        return _answer(asked, zone)
    except (DNSError, ValueError, struct.error, IndexError):
        return Answer()


def _answer(asked: DNSRecord, zone: Zone) -> Answer:
    reply = asked.reply(ra=0, aa=1)
    if asked.header.opcode != 0 or asked.q.qclass != CLASS.IN:
        reply.header.rcode = RCODE.NOTIMP
        return Answer(reply=reply.pack())
    name = str(asked.q.qname)
    address, owner = zone.address(name), _reverse(name, zone)
    if address is not None:
        if asked.q.qtype == QTYPE.A:
            reply.add_answer(RR(asked.q.qname, QTYPE.A, rdata=A(address), ttl=_TTL))
            return Answer(reply=reply.pack())
    elif owner:
        if asked.q.qtype == QTYPE.PTR:
            reply.add_answer(RR(asked.q.qname, QTYPE.PTR, rdata=PTR(owner), ttl=_TTL))
            return Answer(reply=reply.pack())
    else:
        reply.header.rcode = RCODE.NXDOMAIN
    reply.add_auth(RR(AUTHORITY, QTYPE.SOA, rdata=SOA(AUTHORITY, AUTHORITY, (1, 0, 0, 0, 0)), ttl=_TTL))
    denied = name.rstrip(".").lower() if address is None and owner is None else ""
    return Answer(reply=reply.pack(), denied=denied)


def _reverse(name: str, zone: Zone) -> str | None:
    """Return the owner of an in-addr.arpa name: "" for an address of the subnet without a name, None for others."""
    labels = name.rstrip(".").lower().removesuffix(".in-addr.arpa").split(".")
    if len(labels) != 4 or not name.rstrip(".").lower().endswith(".in-addr.arpa"):  # noqa: PLR2004 - IPv4 octets
        return None
    try:
        address = ipaddress.IPv4Address(".".join(reversed(labels)))
    except ValueError:
        return None
    if address not in ipaddress.IPv4Network(zone.subnet):
        return None
    return next((n for n, a in zone.names.items() if a == str(address)), "")


class Resolver:
    """A DNS server over UDP and TCP; one thread, and at most four more for TCP clients."""

    def __init__(self, address: str, *, subnet: str, port: int = 53) -> None:
        self._address = address
        self._subnet = subnet
        self._zone = Zone(subnet=subnet)
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._strikes: tuple[NameStrike, ...] = ()
        self._late: list[tuple[float, int, bytes, tuple[str, int]]] = []
        self._order = itertools.count()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix=f"dns {address}")
        self._wake, self._waker = socket.socketpair()
        try:
            self._udp, self._tcp = _listen(address, port)
        except OSError as err:
            self._wake.close()
            self._waker.close()
            raise NetworkError(
                f"the resolver cannot listen on {address}:{port}: {err.strerror}",
                remedy="a DNS server of this machine that listens on every address must leave this one free",
            ) from err
        self.port: int = self._udp.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name=f"dns {address}", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def set_names(self, names: Mapping[str, str]) -> None:
        """Answer `names` and nothing else from now on, and forget who asked before."""
        with self._lock:
            self._zone = Zone(names=MappingProxyType(dict(names)), subnet=self._subnet)
            self._refusals.clear()
            self._strikes = ()

    def strike(self, rule: NameRule) -> NameStrike:
        """Answer by the rule from now on, where nothing that was there before does."""
        made = NameStrike(rule)
        with self._lock:
            self._strikes = (*self._strikes, made)
        return made

    def calm(self, strike: NameStrike) -> None:
        """Answer by that rule no more; safe to call twice."""
        with self._lock:
            self._strikes = tuple(one for one in self._strikes if one is not strike)

    @property
    def strikes(self) -> tuple[NameStrike, ...]:
        """What is answered by now."""
        with self._lock:
            return self._strikes

    def refusals(self) -> tuple[Drop, ...]:
        """Return who asked for names that are none of ours since `set_names`, sorted."""
        with self._lock:
            found = sorted(self._refusals.items())
        return tuple(
            Drop(source=asker, destination=self._address, protocol="dns", port=53, count=n, via="resolver", name=name)
            for (asker, name), n in found
        )

    def stop(self) -> None:
        """Stop answering and close the sockets; safe to call twice."""
        self._stopping.set()
        self._waker.close()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown()
        for sock in (self._udp, self._tcp, self._wake):
            sock.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for sock in (self._wake, self._udp, self._tcp):
                selector.register(sock, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select(self._send_late())}
                if self._wake in ready:
                    return
                if self._udp in ready:
                    self._serve_datagram()
                if self._tcp in ready:
                    self._serve_connection()

    def _serve_datagram(self) -> None:
        try:
            question, asker = self._udp.recvfrom(4096)
            reply, delay = self._respond(question, asker[0])
            if reply is not None and delay and len(self._late) < _MAX_LATE:
                heapq.heappush(self._late, (time.monotonic() + delay, next(self._order), reply, asker))
            elif reply is not None:
                self._udp.sendto(reply, asker)
        except OSError:
            # The asker is gone (its ICMP error is reported on our socket) or its packet was dropped: it asks again.
            return

    def _send_late(self) -> float | None:
        """Send the answers that are due; return how long it is until the next one is, None for never."""
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, reply, asker = heapq.heappop(self._late)
            with contextlib.suppress(OSError):  # as above
                self._udp.sendto(reply, asker)
        return max(0.0, self._late[0][0] - time.monotonic()) if self._late else None

    def _serve_connection(self) -> None:
        try:
            connection, asker = self._tcp.accept()
        except OSError:
            # The client went away between the event and accept().
            return
        if self._places.acquire(blocking=False):
            self._pool.submit(self._converse, connection, asker[0])
        else:
            connection.close()

    def _converse(self, connection: socket.socket, asker: str) -> None:
        try:
            with connection:
                connection.settimeout(2.0)
                size = struct.unpack("!H", _receive(connection, 2))[0]
                reply, delay = self._respond(_receive(connection, size), asker)
                if delay:
                    self._stopping.wait(delay)
                if reply is not None:
                    connection.sendall(struct.pack("!H", len(reply)) + reply)
        except (OSError, EOFError):
            # A client that stops talking in the middle gets no answer.
            return
        finally:
            self._places.release()

    def _respond(self, question: bytes, asker: str) -> tuple[bytes | None, float]:
        """Return the answer, if any, and after how many seconds it is to be sent."""
        with self._lock:
            zone, strikes = self._zone, self._strikes
        found = answer(question, zone)
        strike = _struck(question, asker, strikes) if strikes and found.reply is not None else None
        if found.denied and own_index(DNSRecord.parse(question)) is None:
            # Whatever a fault makes of it, it was asked for; by which we prove a fault is nobody's attempt.
            with self._lock:
                full = len(self._refusals) >= _MAX_REFUSALS and (asker, found.denied) not in self._refusals
                self._refusals[(asker, "(more names)" if full else found.denied)] += 1
        if strike is None:
            return found.reply, 0.0
        if strike.kind == "delay":
            return found.reply, strike.delay.seconds
        return struck_reply(DNSRecord.parse(question), strike), 0.0


def _struck(question: bytes, asker: str, strikes: tuple[NameStrike, ...]) -> NameRule | None:
    """Return the rule that strikes a question, which has been read before."""
    asked = DNSRecord.parse(question)
    name = str(asked.q.qname).rstrip(".").lower()
    for strike in strikes:
        if strike.rule.client == asker and strike.rule.matches(name) and strike.decide(asked):
            return strike.rule
    return None


def _listen(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    tries = 1 if port else _TRIES
    while True:
        tries -= 1
        try:
            return _bind(address, port)
        except OSError:
            # The kernel chose a port that is free for UDP; somebody may have it for TCP.
            if not tries:
                raise


def _bind(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        udp.bind((address, port))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address, udp.getsockname()[1]))
        tcp.listen(_MAX_CONNECTIONS)
    except OSError:
        udp.close()
        tcp.close()
        raise
    return udp, tcp


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def resolv_conf(gateway: str) -> str:
    """Return the text of a resolv.conf that asks `gateway` only, takes names as they are, and gives up after 3 s."""
    return f"nameserver {gateway}\noptions timeout:1 attempts:3 ndots:0\n"
