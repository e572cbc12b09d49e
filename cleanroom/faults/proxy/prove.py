"""Connections of ours to a target under a fault of the proxy: what each has to see for the fault to be proven."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.canonical import Json
from cleanroom.faults.proxy.trial import BODY, PIECES, sent_in_trial

_MOST = 1 << 20
_DATA_SEGMENTS = 152  # where struct tcp_info says how many segments with data have come
# A timer of the kernel's may fire a little early against another clock.
_SOONEST = 0.98


@dataclass(frozen=True, slots=True)
class Seen:
    """What our connection saw; empty `wrong`: what the fault does."""

    facts: Mapping[str, Json]
    wrong: str = ""


Prove = Callable[[socket.socket, Mapping[str, Any]], Seen]
"""Use a connected socket, with the parameters of the trial; may raise `OSError`."""


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)


def _begin(sock: socket.socket) -> None:
    """Ask the stand-in to send: before that nothing is under way that could be over before we look."""
    with contextlib.suppress(ConnectionError):  # reset already: what is read says so
        sock.sendall(b"?")


def _read_to_end(sock: socket.socket) -> tuple[int, str]:
    """Return how many bytes came and how it ended: `end`, `reset` or `open`."""
    size = 0
    while size < _MOST:
        try:
            data = sock.recv(1 << 16)
        except ConnectionResetError:
            return size, "reset"
        except TimeoutError:
            return size, "open"
        if not data:
            return size, "end"
        size += len(data)
    return size, "open"


def prove_cut(sock: socket.socket, limit: int, ends: str, sent: int) -> Seen:
    """Exactly `limit` of the `sent` bytes come, then it ends so."""
    _begin(sock)
    size, how = _read_to_end(sock)
    wrong = (
        "" if (size, how) == (limit, ends) else f"{size} bytes came of {sent}, then: {how}; {limit} and {ends} asked"
    )
    return Seen({"bytes": size, "ended": how}, wrong)


def prove_reset(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`network.reset`."""
    return prove_cut(sock, p["after"], "reset", sent_in_trial("network.reset", p))


def prove_limit_data(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`network.limit_data`."""
    return prove_cut(sock, p["bytes"], "end", sent_in_trial("network.limit_data", p))


def prove_slice(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`network.slice`: as many segments as pieces, and as late as the pauses between them make it."""
    began = time.monotonic()
    _begin(sock)
    size, _ = _read_to_end(sock)
    took = _ms(began)
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    segments = struct.unpack_from("I", info, _DATA_SEGMENTS)[0] if len(info) >= _DATA_SEGMENTS + 4 else 0
    least = (PIECES - 1) * p["delay_ns"] / 10**6
    ok = size == PIECES * p["size"] and segments >= PIECES and took >= _SOONEST * least
    wrong = "" if ok else f"{size} bytes came in {segments} segments within {took} ms; {PIECES} pieces were sent"
    return Seen({"bytes": size, "segments": segments, "took_ms": took}, wrong)


def prove_slow_close(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`network.slow_close`: the end comes so much later than the last byte."""
    _begin(sock)
    first = sock.recv(1)
    began = time.monotonic()
    _, how = _read_to_end(sock)
    took = _ms(began)
    ok = first and how == "end" and took >= _SOONEST * p["delay_ns"] / 10**6
    return Seen({"closed_after_ms": took}, "" if ok else f"it was closed after {took} ms ({how})")


def _ask(sock: socket.socket) -> http.client.HTTPResponse:
    sock.sendall(b"GET /cleanroom-trial HTTP/1.1\r\nHost: trial\r\n\r\n")
    answer = http.client.HTTPResponse(sock, method="GET")
    answer.begin()
    return answer


def prove_status(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`http.status`."""
    answer = _ask(sock)
    answer.read(_MOST)
    said = answer.getheader("retry-after")
    wanted = str(p["retry_after"]) if "retry_after" in p else None
    ok = (answer.status, said) == (p["code"], wanted)
    return Seen({"status": answer.status}, "" if ok else f"it was answered with {answer.status} (Retry-After: {said})")


def prove_fail_first(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`http.fail_first`: of two requests the first alone fails."""
    found = _two(sock)
    return Seen({"statuses": str(found)}, "" if found == (p["code"], 200) else f"two requests were answered {found}")


def prove_rate_limit(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`http.rate_limit`: of two requests at once the second is refused."""
    found = _two(sock)
    return Seen(
        {"statuses": str(found)}, "" if found == (200, 429) else f"two requests were answered {found}: {dict(p)}"
    )


def _two(sock: socket.socket) -> tuple[int, int]:
    first = _ask(sock)
    first.read(_MOST)
    second = _ask(sock)
    second.read(_MOST)
    return first.status, second.status


def prove_delay(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`http.delay`: the response is late, by the delay less its jitter at least."""
    began = time.monotonic()
    answer = _ask(sock)
    took = _ms(began)
    least = max(0, p["delay_ns"] - p["jitter_ns"]) / 10**6
    ok = answer.status == 200 and took >= _SOONEST * least  # noqa: PLR2004 - what the stand-in says
    return Seen({"response_ms": took}, "" if ok else f"the response came after {took} ms")


def prove_abort(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`http.abort`: a reset, after so much of the body."""
    size, how = _body(sock)
    ok = (size, how) == (p["after"], "reset")
    return Seen({"body_bytes": size, "ended": how}, "" if ok else f"{size} bytes of the body came, then: {how}")


def prove_body(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`http.body`: another body, or so much of it under the length that was declared."""
    if "truncate" in p:
        size, how = _body(sock)
        ok = (size, how) == (p["truncate"], "end")
        return Seen({"body_bytes": size}, "" if ok else f"{size} bytes of the body came, then: {how}")
    body = _ask(sock).read(_MOST)
    return Seen({"body_bytes": len(body)}, "" if body == str(p["replace"]).encode() else "the body was another one")


def _body(sock: socket.socket) -> tuple[int, str]:
    """Ask; return how much of the body came, and how the connection ended."""
    sock.sendall(b"GET /cleanroom-trial HTTP/1.1\r\nHost: trial\r\n\r\n")
    held, how = b"", ""
    while not how:
        try:
            data = sock.recv(1 << 16)
        except ConnectionResetError:
            data, how = b"", "reset"
        except TimeoutError:
            data, how = b"", "open"
        held += data
        if len(held.partition(b"\r\n\r\n")[2]) >= len(BODY):
            how = "whole"
        elif not data:
            how = how or "end"
    return len(held.partition(b"\r\n\r\n")[2]), how


def prove_headers(sock: socket.socket, p: Mapping[str, Any]) -> Seen:
    """`http.headers`: what is set is there as it was set, what is removed is not."""
    answer = _ask(sock)
    answer.read(_MOST)
    wrong = [name for name, value in p["set"].items() if answer.headers.get_all(name) != [value]]
    wrong += [name for name in p["remove"] if name not in p["set"] and answer.headers.get_all(name)]
    changed = len(p["set"]) + len(p["remove"])
    return Seen({"headers_changed": changed - len(wrong)}, f"not changed: {', '.join(wrong)}" if wrong else "")
