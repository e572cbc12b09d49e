"""Whether an address answers on a port, asked from wherever the calling thread is; and which ports have a listener."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Literal, TypeAlias

from cleanroom.errors import NetworkError
from cleanroom.quantity import Duration

Contact: TypeAlias = Literal["open", "refused", "silent", "unreachable"]
"""What came back: an answer, a refusal, nothing in time, or the word that there is no way."""
Transport: TypeAlias = Literal["tcp", "udp"]

_LISTENS = "0A"
_UNCONNECTED = "07"
_LOOPBACKS = ("127.",)
_LOOPBACK6 = "00000000000000000000000001000000"


def contact(protocol: Transport, address: str, port: int, timeout: Duration) -> Contact:
    """Ask once, from the calling thread's network namespace; raises NetworkError when nothing can be sent at all."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(timeout.seconds)
        try:
            sock.connect((address, port))
            if protocol == "udp":
                sock.send(b"cleanroom")
                sock.recv(512)
        except OSError as err:
            return _outcome(err)
    return "open"


def _outcome(error: OSError) -> Contact:
    if isinstance(error, TimeoutError):
        return "silent"
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "refused"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "unreachable"
    raise NetworkError(f"nothing could be sent to find out who answers: {error}") from error


def listeners(pid: int, protocol: Transport) -> tuple[int, ...]:
    """Return the ports on which others can reach a socket in the network namespace of `pid`, in ascending order."""
    wanted = _LISTENS if protocol == "tcp" else _UNCONNECTED
    found: set[int] = set()
    for name in (protocol, f"{protocol}6"):
        try:
            lines = Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue  # a namespace without IPv6 has no such file; a process that is gone has no ports
        for line in lines:
            words = line.split()
            address, port = words[1].split(":")
            if words[3] == wanted and not _loopback(address):
                found.add(int(port, 16))
    return tuple(sorted(found))


def _loopback(address: str) -> bool:
    if address == _LOOPBACK6:
        return True
    # The kernel writes an IPv4 address as a number in its own byte order.
    return len(address) == 8 and socket.inet_ntoa(bytes.fromhex(address)[::-1]).startswith(_LOOPBACKS)  # noqa: PLR2004
