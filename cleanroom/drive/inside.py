"""The only way of a step's request: to the services of its environment, and never past its time limit.

The runner itself is not behind the wall that its services are behind: where an answer of theirs redirects to must not
decide where it connects to, nor may it ask anybody for a name.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ContentDecodingError
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

_SHORT: Final = 64 * 1024


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


class _TimedTls(ssl.SSLSocket):
    """The same over TLS: what a wait is for is a record there, and a service can trickle those as well."""

    deadline = 0.0

    def arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        self.settimeout(left)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401 - as above
        self.arm()
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - as above
        self.arm()
        super().sendall(data, flags)


def _connect(addresses: Mapping[str, str], host: str, port: int | None, deadline: float) -> socket.socket:
    address = addresses.get(host)
    if address is None:
        raise OutsideError(f"{host} port {port} is no service of this environment")
    connection = _TimedSocket(socket.AF_INET, socket.SOCK_STREAM)
    connection.deadline = deadline
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.arm()
        connection.connect((address, port))
        connection.arm()
    except BaseException:
        connection.close()
        raise
    return connection


def _pools(addresses: Mapping[str, str], deadline: float) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(addresses, self.host, self.port, deadline)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(addresses, self.host, self.port, deadline)

        def connect(self) -> None:
            super().connect()
            # The step itself says that it trusts anybody: there is nobody to be warned of it.
            self.proxy_is_verified = True

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _tls(deadline: float) -> ssl.SSLContext:
    class Timed(_TimedTls):
        pass

    Timed.deadline = deadline
    context = create_urllib3_context()
    context.sslsocket_class = Timed
    # urllib3 compares the name itself then, and does not where nothing is to be verified.
    context.check_hostname = False
    return context


class _Inside(HTTPAdapter):
    def __init__(self, addresses: Mapping[str, str], deadline: float) -> None:
        self._context = _tls(deadline)
        super().__init__()
        self.poolmanager.pool_classes_by_scheme = _pools(addresses, deadline)

    def init_poolmanager(self, *sizes: Any, **more: Any) -> None:  # noqa: ANN401 - whatever requests passes on
        super().init_poolmanager(*sizes, **more, ssl_context=self._context)


class _Session(requests.Session):
    """One that reads of a redirect where it leads to: requests takes its whole body into memory, however long."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            # What is short is taken off the connection, which is then good for the next request.
            with suppress(ChunkedEncodingError, ContentDecodingError):
                next(resp.iter_content(_SHORT), b"")
            if not resp.raw.closed:
                resp.raw.close()
            resp._content = b""  # noqa: SLF001 - there is no other way to tell that nothing more is to be read
        return target

    def resolve_redirects(self, *both: Any, **more: Any) -> Iterator[requests.Response]:  # noqa: ANN401 - passed on
        if more.get("yield_requests"):
            # Where redirects are not followed, to prepare the next request would cost the body of this answer.
            return iter(())
        followed: Iterator[requests.Response] = super().resolve_redirects(*both, **more)
        return followed


def session_inside(addresses: Mapping[str, str], deadline: float) -> requests.Session:
    """Return a session that knows services by name (name → address) and by address, and nobody else.

    A request to anybody else fails with an `OutsideError` among its causes, one after `deadline` (on
    `time.monotonic()`) with a `TimeoutError`.
    """
    session = _Session()
    # The runner's own proxy settings or .netrc must never decide where a step's request goes.
    session.trust_env = False
    session.adapters.clear()
    inside = _Inside({**{a: a for a in addresses.values()}, **addresses}, deadline)
    session.mount("http://", inside)
    session.mount("https://", inside)
    return session
