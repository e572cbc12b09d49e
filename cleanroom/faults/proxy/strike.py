"""What faults of the family http do to one request, and which they choose: by index, from the seeded stream."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from cleanroom.faults.proxy.route import Route
from cleanroom.faults.proxy.tally import SHOWN, Tally
from cleanroom.plan.stream import Stream

_WITHOUT_BODY = frozenset({204, 205, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What is done to one request; what is None or empty is not done."""

    status: int | None = None
    """Answered with this, and not passed on."""
    retry_after: int | None = None
    """Seconds."""
    delay: float = 0.0
    """Seconds before the response is passed on."""
    cut: int | None = None
    """After so many bytes of the response's body the connection ends."""
    abrupt: bool = False
    """It ends by a reset."""
    body: bytes | None = None
    set: Sequence[tuple[str, str]] = ()
    remove: frozenset[str] = frozenset()
    """Names of headers in lower case."""


@dataclass(slots=True)
class Bucket:
    """A token bucket: `burst` at once, `rate` a second."""

    rate: float
    burst: int
    _tokens: float = field(init=False)
    _at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._tokens = float(self.burst)

    def take(self, now: float) -> bool:
        """Return whether one more may pass at `now` (seconds)."""
        if self._at is not None:
            self._tokens = min(float(self.burst), self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Choice:
    """Decides for each request in turn; the same stream decides the same for the same index."""

    def __init__(self, kind: str, parameters: Mapping[str, object], stream: str, tally: Tally) -> None:
        self._kind = kind.removeprefix("http.")
        self._p = parameters
        self._stream = Stream(stream)
        self._delays = self._stream.part("delay")
        self._tally = tally
        self._route: Route = parameters["route"]  # type: ignore[assignment] # the job's reader made it
        self._chosen = 0
        self._bucket = Bucket(_float(parameters.get("rate", 1)), _int(parameters.get("burst", 1)))

    def decide(self, method: str, target: str) -> Strike | None:
        """Return what is done to the next request, None for nothing."""
        if not self._route.matches(method, target):
            return None
        index = self._tally.matched
        self._tally.matched += 1
        chosen = self._stream.uniform_at(index) * 100 < _float(self._p["percent"]) and self._wanted()
        if len(self._tally.decisions) < SHOWN:
            self._tally.decisions += "1" if chosen else "0"
        return self._strike(index) if chosen else None

    def _wanted(self) -> bool:
        if self._kind == "fail_first":
            self._chosen += 1
            return self._chosen <= _int(self._p["count"])
        return self._kind != "rate_limit" or not self._bucket.take(time.monotonic())

    def _strike(self, index: int) -> Strike:
        p = self._p
        if self._kind == "delay":
            jitter = _int(p["jitter_ns"]) * (2 * self._delays.uniform_at(index) - 1)
            return Strike(delay=max(0.0, _int(p["delay_ns"]) + jitter) / 10**9)
        if self._kind == "abort":
            return Strike(cut=_int(p["after"]), abrupt=True)
        if self._kind == "body":
            return Strike(body=str(p["replace"]).encode()) if "replace" in p else Strike(cut=_int(p["truncate"]))
        if self._kind == "headers":
            changed: Mapping[str, str] = p["set"]  # type: ignore[assignment] # the job's reader made it
            removed: Sequence[str] = p["remove"]  # type: ignore[assignment] # the same
            names = {name.lower() for name in (*changed, *removed)}
            return Strike(set=tuple(changed.items()), remove=frozenset(names))
        after = _int(p["retry_after"]) if "retry_after" in p else None
        return Strike(status=429 if self._kind == "rate_limit" else _int(p["code"]), retry_after=after)


def _int(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 - a job is written by this program
    return value


def _float(value: object) -> float:
    assert isinstance(value, int | float)  # noqa: S101 - the same
    return float(value)


def answer(strike: Strike, *, head_only: bool, close: bool) -> bytes:
    """Return the whole response that a struck request gets instead of the service's."""
    code = strike.status or 500
    reason = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "Unknown"
    body = b"" if code in _WITHOUT_BODY else f"{code} {reason}\n".encode()
    lines = [f"HTTP/1.1 {code} {reason}"]
    lines += [f"Retry-After: {strike.retry_after}"] if strike.retry_after is not None else []
    lines += ["Connection: close"] if close else []
    lines += ["Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"] if body else []
    lines += ["Content-Length: 0"] if code == 205 else []  # noqa: PLR2004 - the one that must say so
    return "\r\n".join((*lines, "", "")).encode() + (b"" if head_only else body)


def has_body(method: str, code: int) -> bool:
    """Whether a response may have a body at all."""
    return method != "HEAD" and code not in _WITHOUT_BODY
