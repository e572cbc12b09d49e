r"""The `redis` action: commands on one connection, by a small client of our own for RESP2 (Redis' protocol).

Replies are JSON: simple and bulk strings are text (bytes that are no UTF-8 as `\xNN`), integers numbers, arrays lists,
the null reply null.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cleanroom.drive.json_text import parsed
from cleanroom.drive.lost import failure_of, failure_of_loss
from cleanroom.drive.result import ActionResult
from cleanroom.drive.wire import OversizeError, Wire
from cleanroom.text import clean, one_line

if TYPE_CHECKING:
    from cleanroom.canonical import Json
    from cleanroom.drive.reach import Limits, Reach
    from cleanroom.spec.query import RedisAction

MAX_REPLY = 16 << 20
"""The most bytes of one reply."""
MAX_ITEMS = 1_000_000
MAX_DEPTH = 32
_LINE = 64 * 1024
_CHUNK = 64 * 1024
_INTEGER = re.compile(rb"[+-]?\d{1,20}")


class GarbageError(ValueError):
    """Bytes that are no RESP2."""


class EndError(EOFError):
    """The other side ended the connection in the middle of a reply, or before it."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What a server answers instead of a reply."""

    message: str


Reply: TypeAlias = "None | int | str | ErrorReply | list[Reply]"


class Replies:
    """Reads one reply after the other from `receive(most bytes)`, which returns nothing at the end."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._items = 0
        self._size = 0

    def next(self) -> Reply:
        """Return the next reply; raises `GarbageError`, `OversizeError`, `EndError` and what `receive` raises."""
        self._items = self._size = 0
        return self._reply(0)

    def _reply(self, depth: int) -> Reply:
        self._items += 1
        if depth > MAX_DEPTH or self._items > MAX_ITEMS:
            raise OversizeError(f"the reply has more than {MAX_ITEMS} elements, or more than {MAX_DEPTH} levels")
        line = self._line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return _text(rest)
            case b"-":
                return ErrorReply(_text(rest))
            case b":":
                return _integer(rest)
            case b"$":
                return self._bulk(_integer(rest))
            case b"*":
                return self._array(_integer(rest), depth)
            case _:
                raise GarbageError(f"a reply begins with {_text(line[:40])!r}")

    def _bulk(self, length: int) -> Reply:
        if length == -1:
            return None
        if not 0 <= length <= MAX_REPLY:
            raise OversizeError(f"the reply has a text of {length} bytes, more than {MAX_REPLY >> 20} MiB")
        data = self._take(length + 2)
        if data[-2:] != b"\r\n":
            raise GarbageError("a text does not end where its length says")
        return _text(data[:-2])

    def _array(self, length: int, depth: int) -> Reply:
        if length == -1:
            return None
        if not 0 <= length <= MAX_ITEMS:
            raise OversizeError(f"the reply has {length} elements, more than {MAX_ITEMS}")
        return [self._reply(depth + 1) for _ in range(length)]

    def _line(self) -> bytes:
        begin = 0
        while (end := self._buffer.find(b"\r\n", begin)) < 0:
            if len(self._buffer) > _LINE:
                raise GarbageError(f"a line is longer than {_LINE >> 10} KiB")
            begin = max(0, len(self._buffer) - 1)
            self._more()
        return self._cut(end + 2)[:-2]

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        return self._cut(count)

    def _cut(self, count: int) -> bytes:
        self._size += count
        if self._size > MAX_REPLY:
            raise OversizeError(f"the reply is larger than {MAX_REPLY >> 20} MiB")
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def _more(self) -> None:
        data = self._receive(_CHUNK)
        if not data:
            raise EndError("the connection ended before the reply")
        self._buffer += data


def _text(data: bytes) -> str:
    return clean(data.decode("utf-8", "backslashreplace"))


def _integer(data: bytes) -> int:
    if not _INTEGER.fullmatch(data):
        raise GarbageError(f"{_text(data[:40])!r} stands where a number must")
    return int(data)


def encode(command: Sequence[str]) -> bytes:
    """Return the command as RESP2: an array of bulk strings."""
    words = [word.encode("utf-8", "surrogateescape") for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def run_redis(reach: Reach, action: RedisAction, limits: Limits) -> ActionResult:
    """Send the commands in order until one fails; the result is the last reply. Never raises."""
    began = time.monotonic()
    address, port = reach.containers[action.service].address, action.port
    replies: list[Json] = []
    with Wire(began + limits.timeout.seconds, reach.stop) as wire:

        def connect() -> tuple[Wire, Replies]:
            wire.reach(address, port)
            return wire, Replies(wire.recv)

        failed = converse(connect, action.commands, replies)
    return result_of(replies, failed, began)


def result_of(replies: list[Json], failed: tuple[str, str] | None, began: float) -> ActionResult:
    """Return what `converse` came to, begun at `began` on `time.monotonic()`; the value is the last reply."""
    took = int((time.monotonic() - began) * 10**9)
    if failed:
        kind, message = failed
        return ActionResult(error_type=kind, message=message, noted={"replies": replies}, duration_ns=took)
    value = replies[-1]
    found, has_json = _as_json(value)
    return ActionResult(
        body=_as_body(value), json=found, has_json=has_json, value=value, noted={"replies": replies}, duration_ns=took
    )


def converse(
    connect: Callable[[], tuple[Wire, Replies]], commands: Sequence[Sequence[str]], replies: list[Json]
) -> tuple[str, str] | None:
    """Send the commands on the connection and fill `replies`; return (error type, one line) of what went wrong.

    After any type but `redis` the connection cannot be used any more.
    """
    wire: Wire | None = None
    try:
        wire, reader = connect()
        for number, command in enumerate(commands, 1):
            wire.sendall(encode(command))
            value, error = _value(reader.next())
            if error:
                # Without the arguments: a password may be among them.
                where = f"command {number} ({one_line(command[0], 40)}): " if len(commands) > 1 else ""
                return "redis", one_line(where + error, 500)
            replies.append(value)
    except (GarbageError, OversizeError) as err:
        return "network_failure", f"the server does not speak Redis' protocol, or too much: {one_line(str(err), 300)}"
    except EndError:
        return failure_of_loss((wire.lost if wire is not None else "") or "closed")
    except OSError as err:
        return failure_of(err)
    return None


def _value(reply: Reply) -> tuple[Json, str]:
    """Return (the reply as JSON, the first error in it): of a transaction, errors stand among the replies."""
    if isinstance(reply, ErrorReply):
        return None, reply.message or "an error without a message"
    if not isinstance(reply, list):
        return reply, ""
    found = [_value(item) for item in reply]
    return [value for value, _ in found], next((error for _, error in found if error), "")


def _as_body(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _as_json(value: Json) -> tuple[Json, bool]:
    """Return the reply as a value in which paths can be looked up: a text is read as JSON where it is some."""
    if not isinstance(value, str):
        return value, True
    return parsed(value)
