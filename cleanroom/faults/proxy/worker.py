"""The proxy's process, in the network namespace that it was started in.

Started as `python -m cleanroom.faults.proxy.worker` with one JSON argument; prints `{"port": n}` when it listens. It
takes no connection before it reads `{"do": "start"}`. `{"do": "trial", "peer": [address, port]}` says which connection
will be one of ours: it is answered here, by the same code, and counted nowhere; the answer is `{"expecting": port}`.
When its standard input ends (which also happens when its parent dies) it strikes no more, lets what is under way come
to its end, and prints figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cleanroom.canonical import Json
from cleanroom.faults.proxy.exchange import Exchange
from cleanroom.faults.proxy.job import Job
from cleanroom.faults.proxy.route import parse_route
from cleanroom.faults.proxy.stream import Cut, CutError, Flow, Release, Slice, SlowClose, Treatment, Untouched, relay
from cleanroom.faults.proxy.strike import Choice
from cleanroom.faults.proxy.tally import Tally
from cleanroom.faults.proxy.trial import stand_in
from cleanroom.faults.proxy.wire import Wire, connect, meant_for

_BACKLOG = 1024
_CONNECT_TIMEOUT = 130.0  # the kernel's own patience with a destination that does not answer
_DRAIN = 1.0
_QUIET = 0.1
_ONLY_TRIALS = "0" * 64


def treatment(job: Job, parameters: Mapping[str, Any], release: Release, tally: Tally) -> Treatment:
    """Return what is done to one connection; all of its struck directions share it."""
    if job.kind == "network.reset":
        return Cut(parameters["after"], release, tally, abrupt=True)
    if job.kind == "network.limit_data":
        return Cut(parameters["bytes"], release, tally, abrupt=False)
    if job.kind == "network.slice":
        return Slice(parameters["size"], parameters["delay_ns"] / 10**9, release, tally)
    return SlowClose(parameters["delay_ns"] / 10**9, release, tally)


def choice(job: Job, parameters: Mapping[str, Json], stream: str, tally: Tally) -> Choice:
    """Return what decides about requests."""
    return Choice(job.kind, {**parameters, "route": parse_route(str(parameters["route"]))}, stream, tally)


@dataclass(slots=True)
class _Open:
    """A connection that is under way."""

    client: Wire
    server: Wire
    exchange: Exchange | None = None

    def quiet(self, now: float) -> bool:
        if self.exchange is not None and not self.exchange.idle:
            return False
        return now - max(self.client.moved, self.server.moved) > _QUIET

    def end(self) -> None:
        """End it: where no request is under way by an end, which clients that keep connections expect, else a reset."""
        if self.exchange is not None and self.exchange.idle:
            self.client.finish()
            self.client.close()
            self.server.close()
        self.client.reset()
        self.server.reset()


class Proxy:
    """All connections of one fault on one container."""

    def __init__(self, job: Job, listener: socket.socket) -> None:
        self._job = job
        self._listener = listener
        self._own_port: int = listener.getsockname()[1]
        self._trials: set[tuple[str, int]] = set()
        self._open: dict[asyncio.Task[None], _Open | None] = {}
        self.tally = Tally()
        self.release = Release()
        self._choice = choice(job, job.parameters, job.stream, self.tally) if job.of_http else None

    def expect(self, address: str, port: int) -> None:
        """Take the next connection from there for one of ours."""
        self._trials.add((address, port))

    async def accept(self) -> None:
        """Take connections until this is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(self._listener)
            except OSError:
                # Out of descriptors, or one that was gone before it was taken: the next may do.
                await asyncio.sleep(0.05)
                continue
            task = loop.create_task(self._serve(sock, (peer[0], peer[1])))
            self._open[task] = None
            task.add_done_callback(lambda done: self._open.pop(done, None))

    async def _serve(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        client = Wire(sock)
        try:
            if peer in self._trials:
                self._trials.discard(peer)
                await self._try(client)
            else:
                await self._real(client, sock)
        except (OSError, TimeoutError):
            client.reset()
        except Exception as err:  # noqa: BLE001 - a defect of ours on one connection must be known, and harm no other
            self.tally.defects.append(f"{type(err).__name__}: {err}")
            client.reset()
        finally:
            client.close()

    async def _try(self, client: Wire) -> None:
        job, tally, release = self._job, Tally(), Release()
        server, serving = stand_in(job.kind, job.trial)
        try:
            if job.of_http:
                await Exchange(client, server, choice(job, job.trial, _ONLY_TRIALS, tally), tally, release).serve()
            else:
                struck = treatment(job, job.trial, release, tally)
                await relay(
                    (Flow(client, server, Untouched(), egress=False), Flow(server, client, struck, egress=True)), tally
                )
        finally:
            server.close()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def _real(self, client: Wire, sock: socket.socket) -> None:
        destination = meant_for(sock)
        if destination[1] == self._own_port:
            raise ConnectionRefusedError("nobody led this connection here")
        self.tally.connections += 1
        # On this machine: an address of the container's own, so that it was the container that was called.
        incoming = destination[0] == sock.getsockname()[0]
        struck = treatment(self._job, self._job.parameters, self.release, self.tally) if self._choice is None else None
        if struck is not None:
            self.tally.matched += 1
            try:
                await struck.opened()
            except CutError:
                client.reset()
                return
        try:
            server = await connect(destination, _CONNECT_TIMEOUT)
        except (OSError, TimeoutError):
            self.tally.unreached += 1
            raise
        await self._pass(_Open(client, server), struck, incoming=incoming)

    async def _pass(self, both: _Open, struck: Treatment | None, *, incoming: bool) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        self._open[task] = both
        try:
            if struck is None:
                assert self._choice is not None  # noqa: S101 - one or the other
                both.exchange = Exchange(both.client, both.server, self._choice, self.tally, self.release)
                await both.exchange.serve()
                return
            struck_way = {"egress": (True,), "ingress": (False,), "both": (True, False)}[self._job.direction]
            flow = partial(_flow, struck=struck, struck_way=struck_way)
            await relay(
                (flow(both.client, both.server, egress=not incoming), flow(both.server, both.client, egress=incoming)),
                self.tally,
            )
        except OSError:
            both.client.reset()
            both.server.reset()
        finally:
            both.client.close()
            both.server.close()

    async def drain(self) -> int:
        """Let what is under way end by itself for a second; end the rest, and return how many those were."""
        self.release.give()
        limit = time.monotonic() + _DRAIN
        ended = 0
        while self._open:
            now = time.monotonic()
            for task, both in list(self._open.items()):
                if now >= limit or (both is not None and both.quiet(now)):
                    ended += 1
                    task.cancel()
                    if both is not None:
                        both.end()
            await asyncio.sleep(0.01)
            if now >= limit + _DRAIN:
                break
        return ended


def _flow(source: Wire, sink: Wire, *, struck: Treatment, struck_way: tuple[bool, ...], egress: bool) -> Flow:
    return Flow(source, sink, struck if egress in struck_way else Untouched(), egress=egress)


async def _orders(proxy: Proxy, said: asyncio.StreamReader) -> int:
    """Do what standard input says, until it ends; return how many connections ended with the fault."""
    accepting: asyncio.Task[None] | None = None
    while line := await said.readline():
        order = json.loads(line)
        if order["do"] == "start":
            accepting = accepting or asyncio.ensure_future(proxy.accept())
            say({"accepting": True})
        else:
            address, port = order["peer"]
            proxy.expect(address, port)
            say({"expecting": port})
    # Who came before the rules went is still taken, and served.
    ended = await proxy.drain()
    if accepting is not None:
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
    return ended


async def serve(job: Job, listener: socket.socket) -> dict[str, Json]:
    """Run the proxy until standard input ends; return the figures."""
    proxy = Proxy(job, listener)
    said = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), os.fdopen(0, "rb", closefd=False))
    say({"port": listener.getsockname()[1]})
    ended = await _orders(proxy, said)
    return {**proxy.tally.figures(), "ended_with_the_fault": ended}


def say(what: Mapping[str, Json]) -> None:
    """Print one line; nobody may be there to read it: then there is nobody to tell, either."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)  # noqa: T201 - its protocol


def main() -> int:
    """Run the worker; the exit code is 0 unless it could not listen."""
    job = Job(**json.loads(sys.argv[1]))
    try:
        listener = socket.create_server(("0.0.0.0", 0), backlog=_BACKLOG)  # noqa: S104 - the container's own network
        listener.settimeout(0)
    except OSError as err:
        say({"error": str(err)})
        return 1
    figures = asyncio.run(serve(job, listener))
    listener.close()
    say(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
