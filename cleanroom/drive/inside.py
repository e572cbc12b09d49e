"""The only way of a step's request: to the services of its environment, and never past its time limit.

The runner itself is not behind the wall that its services are behind: where an answer of theirs redirects to must not
decide where it connects to, nor may it ask anybody for a name.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection


class OutsideError(OSError):
    """A request that would leave the environment; nothing of it was sent."""


class _TimedSocket(socket.socket):
    """Every wait on it ends at one moment: a limit for each read would let a service that trickles go on for ever."""

    deadline = 0.0

    def arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        self.settimeout(left)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - no name for it in 3.11
        self.arm()
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - as above
        self.arm()
        super().sendall(data, flags)


def _pool(addresses: Mapping[str, str], deadline: float) -> type[HTTPConnectionPool]:
    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            address = addresses.get(self.host)
            if address is None:
                raise OutsideError(f"{self.host} port {self.port} is no service of this environment")
            connection = _TimedSocket(socket.AF_INET, socket.SOCK_STREAM)
            connection.deadline = deadline
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.arm()
                connection.connect((address, self.port))
            except BaseException:
                connection.close()
                raise
            return connection

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    return Pool


class _Inside(HTTPAdapter):
    def __init__(self, addresses: Mapping[str, str], deadline: float) -> None:
        super().__init__()
        self.poolmanager.pool_classes_by_scheme = {"http": _pool(addresses, deadline)}


def session_inside(addresses: Mapping[str, str], deadline: float) -> requests.Session:
    """Return a session that knows services by name (name → address) and by address, and nobody else, over plain HTTP.

    A request to anybody else fails with an `OutsideError` among its causes, one after `deadline` (on
    `time.monotonic()`) with a `TimeoutError`.
    """
    session = requests.Session()
    # The runner's own proxy settings or .netrc must never decide where a step's request goes.
    session.trust_env = False
    session.adapters.clear()
    session.mount("http://", _Inside({**{a: a for a in addresses.values()}, **addresses}, deadline))
    return session
