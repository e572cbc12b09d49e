"""Workers beside this program, forked from one that has loaded everything already: a fault must not wait for that."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import cast

from cleanroom.engine.child import child_environment, child_python
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.traffic.shape import Shape
from cleanroom.faults.traffic.worker import Figures, work
from cleanroom.network.namespace import in_namespace

_PATIENCE = 10.0
_PID_BYTES = 8
_FIRST = 1
_FORKS = 2  # descriptors that come with each order


class Worker:
    """One worker in one network namespace; raises `EngineError` when it is dead or says nothing."""

    def __init__(self, pid: int, connection: Connection) -> None:
        self.pid = pid
        self._connection = connection

    def ask(self, *message: object) -> tuple[dict[int, Figures], int]:
        """Return its figures by shape, and how many packets it lost against its will."""
        try:
            self._connection.send(message)
            found = cast("tuple[dict[int, Figures], int]", self._answer())
        except (EOFError, OSError) as err:
            raise EngineError("the worker that held packets ended early") from err
        return found

    def reshape(self, shapes: Sequence[tuple[int, Shape]]) -> tuple[dict[int, Figures], int]:
        """Tell it all the shapes that are in force from now on; return the last figures of those that are not."""
        return self.ask("shapes", tuple(shapes))

    def ready(self) -> None:
        """Wait until it is bound; raises `CapabilityError` with its reason when it cannot be."""
        try:
            refusal = self._answer()
        except (EOFError, OSError) as err:
            raise EngineError("the worker that holds packets died at its start") from err
        if refusal:
            raise CapabilityError(str(refusal))

    def _answer(self) -> object:
        if not self._connection.poll(_PATIENCE):
            raise EngineError(f"the worker that holds packets said nothing within {_PATIENCE:g}s")
        return self._connection.recv()

    def close(self) -> None:
        """End it, if it did not already."""
        self._connection.close()


class _Foreman:
    """The process that forks workers; it ends with this one."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*child_python(), "-m", "cleanroom.faults.traffic.crew", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(theirs.fileno(),),
                    cwd="/", env=child_environment({}), start_new_session=True,
                )  # fmt: skip
            except OSError as err:
                ours.close()
                raise EngineError(f"the process that holds packets cannot be started: {err}") from err
        ours.settimeout(_PATIENCE)
        self._socket = ours

    def fork(self, namespace: int) -> Worker:
        """Return a worker in the namespace that this descriptor stands for; raises OSError, EngineError."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._socket, [b"fork"], [theirs.fileno(), namespace])
            answer = self._socket.recv(_PID_BYTES)
        if len(answer) < _PID_BYTES:
            ours.close()
            raise OSError("the process that forks workers is gone")
        return Worker(int.from_bytes(answer, "big"), Connection(ours.detach()))

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)


_lock = threading.Lock()
_foremen: list[_Foreman] = []
_blocks: list[object] = []


def hire(namespace: int) -> Worker:
    """Return a worker that is bound in the namespace of this descriptor; raises `CapabilityError`, `EngineError`."""
    with _lock:
        for _ in range(2):
            if not _foremen:
                _foremen.append(_Foreman())
            try:
                worker = _foremen[0].fork(namespace)
                break
            except OSError:
                # Somebody ended it; one that was just started and is gone again is beyond us.
                _foremen.pop().close()
        else:
            raise EngineError("the process that holds packets cannot be started: it ends at once")
    try:
        worker.ready()
    except BaseException:
        worker.close()
        raise
    return worker


@contextlib.contextmanager
def prepared() -> Iterator[None]:
    """Have what workers are forked from at hand while the block runs: the first fault does not wait for its start.

    It starts beside the caller and ends with the last of all such blocks. Where it cannot be started, `hire` says so.
    """
    block = object()
    with _lock, contextlib.suppress(EngineError):
        _blocks.append(block)
        if not _foremen:
            _foremen.append(_Foreman())
    try:
        yield
    finally:
        with _lock:
            _blocks.remove(block)
            if not _blocks:
                while _foremen:
                    _foremen.pop().close()


def _forever(orders: socket.socket) -> None:
    # Nobody waits for workers: their parent hears of their end by their connection.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, 16, _FORKS)
        if not message:
            return
        child = os.fork()
        if child == 0:
            orders.close()
            _become(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        orders.send(child.to_bytes(_PID_BYTES, "big"))


def _become(connection: int, namespace: int) -> None:
    """Be a worker, to the end of this process."""
    code = 1
    # What is due must not wait for a busy machine: p99 at a load of 15 is 0.5 ms instead of 16.
    # Where that is not allowed it is as late as everybody else.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_FIRST))
    try:
        in_namespace(f"/proc/self/fd/{namespace}", lambda: work(Connection(connection)))
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    _forever(socket.socket(fileno=int(sys.argv[1])))
