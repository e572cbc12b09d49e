"""One socket of the proxy: reads that lose nothing when given up, writes with backpressure, both ways to end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import time

CHUNK = 1 << 16
# What the proxy itself connects to carries this, so that it is not led to the proxy a second time.
MARK = 0x636C70
_ORIGINAL_DST = 80  # of linux/netfilter_ipv4.h
_TIOCOUTQ = 0x5411
_PATIENCE = 2.0
_LINGER = 1.0


class Wire:
    """A connected, non-blocking stream socket; raises `OSError` as the socket does."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        with contextlib.suppress(OSError):  # a pair of local sockets has no such option
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self.closed = False
        self.moved = time.monotonic()
        """When bytes last passed, on the monotonic clock."""

    async def readable(self) -> None:
        """Wait until there is something to read, or the end; nothing is lost when the wait is cancelled."""
        done: asyncio.Future[None] = self._loop.create_future()
        descriptor = self._sock.fileno()
        self._loop.add_reader(descriptor, _settle, done)
        try:
            await done
        finally:
            self._loop.remove_reader(descriptor)

    async def read(self) -> bytes:
        """Return what has come, at most `CHUNK` bytes; empty at the other side's end."""
        while True:
            try:
                data = self._sock.recv(CHUNK)
            except BlockingIOError:
                await self.readable()
                continue
            self.moved = time.monotonic()
            return data

    def ended(self) -> bool:
        """Whether the other side's end is what comes next; takes nothing."""
        try:
            return not self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False

    async def write(self, data: bytes) -> None:
        """Send all of it; returns when the kernel has taken it."""
        if data:
            await self._loop.sock_sendall(self._sock, data)
            self.moved = time.monotonic()

    async def settled(self) -> None:
        """Wait until the other side has what was written, for two seconds at most: a reset throws the rest away."""
        pause, end = 0.001, time.monotonic() + _PATIENCE
        while not self.closed and time.monotonic() < end:
            (waiting,) = struct.unpack("i", fcntl.ioctl(self._sock, _TIOCOUTQ, b"\0\0\0\0"))
            if not waiting:
                return
            await asyncio.sleep(pause)
            pause = min(0.05, 2 * pause)

    def finish(self) -> None:
        """Say that nothing more will be sent; the other side may go on sending."""
        with contextlib.suppress(OSError):  # it has gone already
            self._sock.shutdown(socket.SHUT_WR)

    async def bow_out(self) -> None:
        """Close so that the other side reads an end, not a reset: what it still sends is read, and thrown away."""
        self.finish()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await self.read():
                    pass
        self.close()

    def reset(self) -> None:
        """End the connection by a reset."""
        if not self.closed:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def close(self) -> None:
        """Let go of the socket; safe to call twice."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()


def _settle(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def first_readable(one: Wire, other: Wire) -> Wire:
    """Return the one that has something to read first; of both, the first named."""
    waits = [asyncio.ensure_future(wire.readable()) for wire in (one, other)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return one if waits[0].done() else other
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def meant_for(sock: socket.socket) -> tuple[str, int]:
    """Return whom the client wanted to reach before the kernel led it here; raises `OSError` when nobody led it."""
    packed = sock.getsockopt(socket.SOL_IP, _ORIGINAL_DST, 16)
    port, address = struct.unpack("!2xH4s8x", packed)
    return socket.inet_ntoa(address), port


async def connect(address: tuple[str, int], patience: float) -> Wire:
    """Connect onwards, past our own rules; raises `OSError`."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        async with asyncio.timeout(patience):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return Wire(sock)
