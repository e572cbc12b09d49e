"""HTTP over one connection that is kept, for workloads: a request costs a worker two system calls and little else.

What `drive.http` does for a step is done here without its libraries: redirects are followed inside the environment
only, every wait ends at one moment, and a body is kept up to a limit.
"""

from __future__ import annotations

import json
import select
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from cleanroom.drive.json_text import parsed
from cleanroom.drive.lost import failure_of, failure_of_loss
from cleanroom.drive.result import ActionResult
from cleanroom.drive.wire import Wire
from cleanroom.text import clean

if TYPE_CHECKING:
    from cleanroom.drive.reach import Limits
    from cleanroom.spec.query import HttpAction

MAX_BODY: Final = 1 << 20
_MAX_HEAD: Final = 64 * 1024
_CHUNK: Final = 64 * 1024
_MOST_REDIRECTS: Final = 30
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"
_EMPTY: Final = frozenset({204, 304})
_BAD: Final = 400


class GarbageError(ValueError):
    """An answer that is no HTTP/1."""


class _EndError(EOFError):
    """The connection ended before the answer did."""


class HttpSession:
    """Connections to the services of one environment, one for each port, used by one worker."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """`addresses` are service → address: nobody else is talked to."""
        self._addresses = addresses
        self._kept: dict[tuple[str, int], Wire] = {}

    def open(self, action: HttpAction, limits: Limits) -> None:
        """Connect to where the action goes; raises `OSError`."""
        self._wire(action.service, action.port, time.monotonic() + limits.timeout.seconds)

    def close(self) -> None:
        """End all connections."""
        for wire in self._kept.values():
            wire.close()
        self._kept.clear()

    def perform(self, action: HttpAction, limits: Limits, context: str) -> ActionResult:
        """Make the request with `context` as its `traceparent`; never raises."""
        began = time.monotonic_ns()
        try:
            result = self._follow(action, time.monotonic() + limits.timeout.seconds, context)
        except GarbageError as err:
            result = ActionResult(error_type="network_failure", message=str(err))
        except _EndError as err:
            kind, message = failure_of_loss(str(err))
            result = ActionResult(error_type=kind, message=message)
        except OSError as err:
            kind, message = failure_of(err)
            result = ActionResult(error_type=kind, message=message)
        return replace(result, duration_ns=time.monotonic_ns() - began)

    def _follow(self, action: HttpAction, deadline: float, context: str) -> ActionResult:
        service, port, method = action.service, action.port, action.method
        target = _target(action.path, tuple(action.query.items()))
        kind, data = _content(action)
        for _ in range(_MOST_REDIRECTS + 1):
            headers = {
                "Host": service if port == 80 else f"{service}:{port}",  # noqa: PLR2004 - HTTP's own
                "User-Agent": "cleanroom", "Accept": "*/*", "traceparent": context,
            }  # fmt: skip
            if data is not None or method in ("POST", "PUT", "PATCH"):
                headers |= {"Content-Length": str(len(data or b"")), **({"Content-Type": kind} if kind else {})}
            answer = self._exchange((service, port), _request(method, target, headers, action.headers, data), deadline)
            status, found = answer[0], answer[1]
            if not action.follow or status not in _REDIRECTS or "location" not in found:
                return _result(*answer)
            service, port, target = self._elsewhere(service, port, target, found["location"])
            if (status == 303 or status == 302 or (status == 301 and method == "POST")) and method != "HEAD":  # noqa: PLR1714, PLR2004 - statuses of HTTP, as browsers follow them
                method, kind, data = "GET", "", None
        return ActionResult(error_type="network_failure", message=f"more than {_MOST_REDIRECTS} redirects")

    def _elsewhere(self, service: str, port: int, target: str, location: str) -> tuple[str, int, str]:
        """Return where a redirect leads to; raises `GarbageError` for one out of the environment."""
        try:
            found = urlsplit(urljoin(f"http://{service}:{port}{target}", location))
            host, there = found.hostname or "", found.port or 80
        except ValueError:
            found, host, there = urlsplit(""), "", 0
        named = {address: name for name, address in self._addresses.items()}.get(host, host)
        if found.scheme != "http" or named not in self._addresses:
            raise GarbageError(
                f"the answer redirects out of the environment: {host or clean(location[:80])!r} is no service of it"
            )
        return named, there, _target((found.path or "/") + (f"?{found.query}" if found.query else ""), ())

    def _wire(self, service: str, port: int, deadline: float) -> Wire:
        """Return the connection to a port that is still open on the other side, or a new one; raises `OSError`."""
        wire = self._kept.get((service, port))
        if wire is not None:
            wire.deadline = deadline
            poll = select.poll()
            poll.register(wire, select.POLLIN)
            # What is there before a request was sent is the end, or nothing that belongs to it.
            if not poll.poll(0):
                return wire
            wire.close()
            del self._kept[service, port]
        wire = Wire(deadline)
        try:
            wire.reach(self._addresses[service], port)
        except BaseException:
            wire.close()
            raise
        self._kept[service, port] = wire
        return wire

    def _exchange(
        self, there: tuple[str, int], request: bytes, deadline: float
    ) -> tuple[int, dict[str, str], bytes, bool]:
        """Return (status, headers, body, whether the body was cut)."""
        wire = self._wire(*there, deadline)
        keep = False
        try:
            wire.sendall(request)
            status, headers, body, keep, cut = _read(wire, head_only=request.startswith(b"HEAD "))
        finally:
            if not keep:
                wire.close()
                self._kept.pop(there, None)
        return status, headers, body, cut


@lru_cache(maxsize=4096)
def _target(path: str, query: tuple[tuple[str, str], ...]) -> str:
    asked = urlencode(query)
    begin = quote(path.partition("#")[0], safe=_SAFE)
    return begin if not asked else f"{begin}{'&' if '?' in begin else '?'}{asked}"


def _content(action: HttpAction) -> tuple[str, bytes | None]:
    """Return (content type, body)."""
    if action.form is not None:
        return "application/x-www-form-urlencoded", urlencode(dict(action.form)).encode()
    if action.has_json:
        return "application/json", json.dumps(action.json, default=dict).encode()
    return "", action.body.encode() if action.body is not None else None


def _request(method: str, target: str, ours: Mapping[str, str], theirs: Mapping[str, str], data: bytes | None) -> bytes:
    named = {name.lower() for name in theirs}
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in ours.items() if n.lower() not in named)]
    for name, value in theirs.items():
        if any(sign in name + value for sign in "\r\n\0"):
            raise GarbageError(f"the header {clean(name)!r} holds a line feed or NUL: the request was not sent")
        lines.append(f"{name}: {value}")
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + (data or b"")


def _read(wire: Wire, *, head_only: bool) -> tuple[int, dict[str, str], bytes, bool, bool]:
    """Return (status, headers, body, whether the connection can be kept, whether the body was cut)."""
    buffer = bytearray()
    while True:
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            if len(buffer) > _MAX_HEAD:
                raise GarbageError(f"the head of the answer is larger than {_MAX_HEAD >> 10} KiB")
            _more(wire, buffer)
        status, version, headers = _head(bytes(buffer[:end]))
        del buffer[: end + 4]
        if status >= 200:  # noqa: PLR2004 - before that: only to be continued
            break
    said = headers.get("connection", "").lower()
    keep = "close" not in said and (version != b"HTTP/1.0" or "keep-alive" in said)
    if head_only or status in _EMPTY:
        return status, headers, b"", keep and not buffer, False
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body, whole = _chunks(wire, buffer)
    elif "content-length" in headers:
        body, whole = _counted(wire, buffer, headers["content-length"])
    else:
        body, whole, keep = *_to_the_end(wire, buffer), False
    return status, headers, body, keep and whole, not whole


def _head(data: bytes) -> tuple[int, bytes, dict[str, str]]:
    first, *lines = data.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise GarbageError(f"the answer is no HTTP/1: it begins with {clean(first[:40].decode('utf-8', 'replace'))!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        key, text = name.decode("latin-1").lower(), value.strip().decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return int(rest[:3]), version, headers


def _more(wire: Wire, buffer: bytearray) -> None:
    data = wire.recv(_CHUNK)
    if not data:
        raise _EndError(wire.lost or "closed")
    buffer += data


def _counted(wire: Wire, buffer: bytearray, said: str) -> tuple[bytes, bool]:
    if not said.isdigit():
        raise GarbageError(f"the answer's Content-Length is {clean(said[:40])!r}")
    length = int(said)
    while len(buffer) < min(length, MAX_BODY + 1):
        _more(wire, buffer)
    return bytes(buffer[: min(length, MAX_BODY)]), length <= MAX_BODY and len(buffer) == length


def _chunks(wire: Wire, buffer: bytearray) -> tuple[bytes, bool]:
    body = bytearray()
    while True:
        size = _size(_line(wire, buffer))
        if size == 0:
            while _line(wire, buffer):
                pass
            return bytes(body), True
        if len(body) + size > MAX_BODY:
            while len(body) + len(buffer) <= MAX_BODY:
                _more(wire, buffer)
            return bytes((body + buffer)[:MAX_BODY]), False
        while len(buffer) < size + 2:
            _more(wire, buffer)
        body += buffer[:size]
        del buffer[: size + 2]


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise GarbageError("a chunk of the answer has no size") from None


def _line(wire: Wire, buffer: bytearray) -> bytes:
    while (end := buffer.find(b"\r\n")) < 0:
        if len(buffer) > _MAX_HEAD:
            raise GarbageError("a line of the answer has no end")
        _more(wire, buffer)
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line


def _to_the_end(wire: Wire, buffer: bytearray) -> tuple[bytes, bool]:
    while len(buffer) <= MAX_BODY:
        data = wire.recv(_CHUNK)
        if not data:
            return bytes(buffer), True
        buffer += data
    return bytes(buffer[:MAX_BODY]), False


def _result(status: int, headers: dict[str, str], body: bytes, cut: bool) -> ActionResult:
    said = body.decode("utf-8", "replace")
    text = clean(said)
    value, has_json = parsed(said) if body else (None, False)
    failed = status >= _BAD
    return ActionResult(
        error_type="http_status" if failed else "",
        message=f"the answer was {status}" if failed else "",
        status=status,
        headers=headers,
        body=text,
        json=value,
        has_json=has_json,
        value=value if has_json else text,
        truncated=("body",) if cut else (),
    )
