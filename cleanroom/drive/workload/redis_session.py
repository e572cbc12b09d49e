"""Redis over connections that are kept, for workloads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cleanroom.drive.redis import Replies, converse, result_of
from cleanroom.drive.wire import Wire

if TYPE_CHECKING:
    from cleanroom.canonical import Json
    from cleanroom.drive.reach import Limits
    from cleanroom.drive.result import ActionResult
    from cleanroom.spec.query import RedisAction


class RedisSession:
    """Connections to the services of one environment, one for each port, used by one worker."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """`addresses` are service → address."""
        self._addresses = addresses
        self._kept: dict[tuple[str, int], tuple[Wire, Replies]] = {}

    def open(self, action: RedisAction, limits: Limits) -> None:
        """Connect to where the action goes; raises `OSError`."""
        self._connection(action, time.monotonic() + limits.timeout.seconds)

    def perform(self, action: RedisAction, limits: Limits) -> ActionResult:
        """Send the commands in order until one fails; never raises."""
        began = time.monotonic()
        replies: list[Json] = []
        failed = converse(lambda: self._connection(action, began + limits.timeout.seconds), action.commands, replies)
        if failed and failed[0] != "redis":
            # What is left of an answer must not be taken for the next one.
            self._drop(action)
        return result_of(replies, failed, began)

    def close(self) -> None:
        """End all connections."""
        for wire, _ in self._kept.values():
            wire.close()
        self._kept.clear()

    def _connection(self, action: RedisAction, deadline: float) -> tuple[Wire, Replies]:
        there = (action.service, action.port)
        if there in self._kept:
            self._kept[there][0].deadline = deadline
            return self._kept[there]
        wire = Wire(deadline)
        try:
            wire.reach(self._addresses[action.service], action.port)
        except BaseException:
            wire.close()
            raise
        self._kept[there] = (wire, Replies(wire.recv))
        return self._kept[there]

    def _drop(self, action: RedisAction) -> None:
        gone = self._kept.pop((action.service, action.port), None)
        if gone is not None:
            gone[0].close()
