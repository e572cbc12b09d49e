"""A cache as a fault speaks to it: Redis' protocol, each exchange bounded and on a connection of its own."""

from __future__ import annotations

import time
from typing import cast

from cleanroom.canonical import Json
from cleanroom.drive.reach import Limits
from cleanroom.drive.redis import run_redis
from cleanroom.errors import EngineError
from cleanroom.faults.base import FaultContext
from cleanroom.quantity import Duration
from cleanroom.spec.query import RedisAction

_LIMITS = Limits(timeout=Duration(10 * 10**9))


class RefusedError(EngineError):
    """The server answered with an error; the message is its own."""


class Cache:
    """One server."""

    def __init__(self, context: FaultContext, service: str) -> None:
        self.service = service
        self._context = context
        self.port = context.access.redis_of(service).port

    def ask(self, *commands: tuple[str, ...]) -> list[Json]:
        """Send the commands in order on one connection, return their replies; raises `RefusedError`, `EngineError`."""
        action = RedisAction(service=self.service, port=self.port, commands=commands)
        result = run_redis(self._context.reach(), action, _LIMITS)
        if result.error_type:
            kind = RefusedError if result.error_type == "redis" else EngineError
            raise kind(f"{self.service}: {result.message}")
        return cast("list[Json]", result.noted.get("replies") or [result.value])

    def figure(self, section: str, name: str) -> int:
        """Return one number of `INFO section`; 0 where the server does not tell it."""
        (text,) = self.ask(("INFO", section))
        for line in str(text).splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.removeprefix("count="))
        return 0

    def setting(self, name: str) -> str:
        """Return one value of the server's configuration; raises `EngineError`."""
        (found,) = self.ask(("CONFIG", "GET", name))
        if not isinstance(found, list) or len(found) != 2:  # noqa: PLR2004 - a name and its value
            raise EngineError(f"{self.service} does not tell its {name}")
        return str(found[1])

    def round_trip_ns(self) -> int:
        """Return how long a PING takes, the connection included."""
        began = time.monotonic_ns()
        self.ask(("PING",))
        return time.monotonic_ns() - began
