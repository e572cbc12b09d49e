from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cleanroom.engine.execute import run_exec
from cleanroom.engine.ports import ExecSpec
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration


def frame(kind: int, data: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@dataclass
class Wire:
    """An engine at the other end of a socket pair: says `output`, then `states` one after the other."""

    output: bytes
    states: list[dict[str, object]]
    ends: bool = True
    created: dict[str, object] = field(default_factory=dict)
    theirs: socket.socket | None = None

    @contextlib.contextmanager
    def api(self, _what: str) -> Iterator[Wire]:
        yield self

    @contextlib.contextmanager
    def translated(self, _what: str) -> Iterator[None]:
        yield

    def exec_create(self, _container: str, command: list[str], **options: object) -> dict[str, str]:
        self.created = {"command": command, **options}
        return {"Id": "e1"}

    def exec_inspect(self, _exec_id: str) -> dict[str, object]:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def connect(self) -> tuple[socket.socket, str]:
        ours, theirs = socket.socketpair()
        theirs.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n" + self.output)
        if self.ends:
            theirs.shutdown(socket.SHUT_WR)
        self.theirs = theirs
        return ours, "/v1.44"


def run(wire: Wire, **options: object) -> object:
    try:
        return run_exec(wire, "c", ExecSpec(command=("x",), **options))  # type: ignore[arg-type]
    finally:
        if wire.theirs:
            wire.theirs.close()


OVER = {"Running": False, "ExitCode": 5}


def test_streams_are_apart_and_bounded_each_for_itself() -> None:
    wire = Wire(frame(1, b"abc") + frame(2, b"E") + frame(1, b"def"), [OVER])
    found = run(wire, max_bytes=4)
    assert (found.stdout, found.stderr, found.truncated, found.exit_code) == (b"abcd", b"E", True, 5)


def test_the_end_of_the_output_is_not_the_end_of_the_command() -> None:
    running = {"Running": True}
    found = run(Wire(b"", [running, running, running, OVER]))
    assert (found.exit_code, found.timed_out) == (5, False)


def test_an_exit_code_that_nobody_knows_is_none() -> None:
    assert run(Wire(b"", [{"Running": False, "ExitCode": None}])).exit_code is None


def test_input_is_sent_and_then_ends() -> None:
    wire = Wire(b"", [OVER], ends=False)
    received = bytearray()

    def serve() -> None:
        while wire.theirs is None:
            threading.Event().wait(0.001)
        while data := wire.theirs.recv(1000):
            received.extend(data)
        wire.theirs.shutdown(socket.SHUT_WR)

    server = threading.Thread(target=serve)
    server.start()
    assert run(wire, stdin=b"in" * 5000).exit_code == 5
    server.join()
    assert received.endswith(b"in" * 5000)
    assert wire.created["stdin"] is True


def test_a_process_that_is_not_visible_here_cannot_be_ended_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanroom.engine.execute._SIGHT_S", 0.05)
    wire = Wire(b"", [{"Running": True, "Pid": 1, "ContainerID": "0123" * 16}], ends=False)
    with pytest.raises(EngineError, match="cannot be ended: the engine's process 1 is not visible here") as caught:
        run(wire, timeout=Duration(10**6))
    assert "cell" in caught.value.remedy


def test_a_command_that_ends_with_its_timeout_is_not_killed() -> None:
    found = run(Wire(b"", [OVER], ends=False), timeout=Duration(10**6))
    assert (found.timed_out, found.killed, found.exit_code) == (True, False, 5)


ACCEPTED = {"Running": False, "ExitCode": None, "Pid": 0, "ContainerID": ""}


def test_a_command_that_the_engine_has_only_accepted_has_not_ended() -> None:
    found = run(Wire(b"", [ACCEPTED, ACCEPTED, ACCEPTED, OVER], ends=False), timeout=Duration(10**6))
    assert (found.timed_out, found.exit_code) == (True, 5)


def test_a_command_that_is_never_started_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanroom.engine.execute._BIRTH_S", 0.05)
    with pytest.raises(EngineError, match="cannot be ended: the engine's process was not started in time"):
        run(Wire(b"", [ACCEPTED], ends=False), timeout=Duration(10**6))
