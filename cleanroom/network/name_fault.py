"""Answers that a slot's resolver gives instead of its own: to whom, about what, how often, and what became of it."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from dnslib import AAAA, EDNS0, QTYPE, RCODE, RR, SOA, A, DNSError, DNSRecord, EDNSOption

from cleanroom.errors import NetworkError
from cleanroom.quantity import Duration

NameFaultKind: TypeAlias = Literal["nxdomain", "servfail", "timeout", "delay", "spoof"]
# From the range that RFC 6891 leaves to local use: by it a question is known to be ours.
_OPTION = 65001
_MARK = secrets.token_bytes(8)
_OURS = 1 << 63
"""The index of questions of ours begins here, so that they take no decision away from a service's."""
_AUTHORITY = "cleanroom.invalid."


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRule:
    """Which questions are answered how; `struck` decides by the index of a question among those that match."""

    client: str
    kind: NameFaultKind
    matches: Callable[[str], bool]
    struck: Callable[[int], bool]
    delay: Duration = Duration(0)
    address: str = ""


@dataclass(slots=True)
class NameStrike:
    """A rule in force, and its log: questions of the client that matched, and those that were struck, without ours."""

    rule: NameRule
    matched: int = 0
    struck: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def decide(self, asked: DNSRecord) -> bool:
        """Whether this question is struck; it is counted unless it is ours."""
        own = own_index(asked)
        if own is not None:
            return self.rule.struck(_OURS + own)
        with self._lock:
            index = self.matched
            self.matched += 1
            hit = self.rule.struck(index)
            self.struck += hit
        return hit

    def example(self, *, struck: bool) -> int | None:
        """Return an index of a question of ours that is struck, or that is not; None when none of many is."""
        return next((n for n in range(_EXAMPLES) if self.rule.struck(_OURS + n) == struck), None)


_EXAMPLES = 100_000


def own_index(asked: DNSRecord) -> int | None:
    """Return the index that a question of ours bears; None for one of a service."""
    for record in asked.ar:
        for option in record.rdata if record.rtype == QTYPE.OPT else ():
            data = bytes(option.data)
            if option.code == _OPTION and data.startswith(_MARK):
                return int.from_bytes(data[len(_MARK) :], "big")
    return None


def struck_reply(asked: DNSRecord, rule: NameRule) -> bytes | None:
    """Return what a struck question is answered instead; None for no answer (and for a delay: its own, later)."""
    reply = asked.reply(ra=0, aa=1)
    if rule.kind == "servfail":
        reply.header.rcode = RCODE.SERVFAIL
    elif rule.kind == "nxdomain":
        reply.header.rcode = RCODE.NXDOMAIN
        reply.add_auth(RR(_AUTHORITY, QTYPE.SOA, rdata=SOA(_AUTHORITY, _AUTHORITY, (1, 0, 0, 0, 0)), ttl=0))
    elif rule.kind == "spoof":
        old = ipaddress.ip_address(rule.address).version == 4  # noqa: PLR2004 - of the protocol
        kind, data = (QTYPE.A, A) if old else (QTYPE.AAAA, AAAA)
        if asked.q.qtype == kind:
            reply.add_answer(RR(asked.q.qname, kind, rdata=data(rule.address), ttl=0))
    else:
        return None
    return bytes(reply.pack())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a question of ours was answered: `NOERROR 10.0.0.2`, `NXDOMAIN`, or `nothing`; and after how long."""

    words: str
    elapsed_ns: int


def ask_name(server: str, name: str, timeout: Duration, *, index: int = 0, port: int = 53) -> Reply:
    """Ask `server` for an address of `name` as one of us, from the calling thread's namespace; raises NetworkError.

    IPv4 addresses only, unless the answer to that is empty: then IPv6 ones as well.
    """
    found = _ask((server, port), _question(name, "A", index), timeout)
    return _ask((server, port), _question(name, "AAAA", index), timeout) if found.words == "NOERROR" else found


def _question(name: str, kind: str, index: int) -> DNSRecord:
    question = DNSRecord.question(name, kind)
    question.add_ar(EDNS0(udp_len=1232, opts=[EDNSOption(_OPTION, _MARK + index.to_bytes(8, "big"))]))
    return question


def _ask(server: tuple[str, int], question: DNSRecord, timeout: Duration) -> Reply:
    began = time.monotonic_ns()
    words = "nothing"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout.seconds)
        try:
            sock.connect(server)
            sock.send(question.pack())
            words = _words(sock.recv(4096))
        except TimeoutError:
            pass
        except (OSError, DNSError, struct.error) as err:
            raise NetworkError(f"{server[0]} cannot be asked for {question.q.qname}: {err}") from err
    return Reply(words=words, elapsed_ns=time.monotonic_ns() - began)


def _words(data: bytes) -> str:
    answer = DNSRecord.parse(data)
    addresses = sorted(str(one.rdata) for one in answer.rr if one.rtype in (QTYPE.A, QTYPE.AAAA))
    return " ".join((str(RCODE[answer.header.rcode]), *addresses))
