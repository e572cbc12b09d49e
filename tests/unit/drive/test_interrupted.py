"""A run that is to stop waits for no server: whoever talks to one that says nothing ends long before its deadline."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from cleanroom.drive.act import carry_out
from cleanroom.drive.reach import Limits
from cleanroom.quantity import Duration
from cleanroom.spec.query import RedisAction, SessionStep, SqlAction, SqlSession
from tests.unit.drive.scenes import reach_of

HOURS = Limits(timeout=Duration(3 * 3600 * 10**9))
CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STEPS = (SessionStep(sql="select 1", barrier="both"),)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def actions(port: int) -> dict[str, SqlAction | RedisAction]:
    two = (SqlSession(name="left", steps=STEPS), SqlSession(name="right", steps=STEPS))
    return {
        "postgresql": SqlAction(service="db", port=port, query="select 1"),
        "mysql": SqlAction(service="db", port=port, dialect="mysql", query="select 1"),
        "sessions": SqlAction(service="db", port=port, sessions=two),
        "redis": RedisAction(service="db", port=port, commands=(("PING",),)),
    }


@pytest.mark.parametrize("name", ["postgresql", "mysql", "sessions", "redis"])
def test_an_interruption_ends_every_wait_for_a_server(silent: socket.socket, name: str):
    reach = reach_of({"db": ("c1", "127.0.0.1")})
    action = actions(silent.getsockname()[1])[name]
    found = []
    asking = threading.Thread(target=lambda: found.append(carry_out(reach, action, HOURS, CONTEXT)), daemon=True)
    asking.start()
    connection, _ = silent.accept()
    with connection:
        reach.stop.request()
        asking.join(60)
    assert not asking.is_alive()
    assert found[0].error_type == "killed"
    assert "the run was interrupted" in found[0].message


@pytest.mark.parametrize("name", ["postgresql", "mysql", "sessions", "redis"])
def test_without_one_they_wait_until_their_deadline(silent: socket.socket, name: str):
    reach = reach_of({"db": ("c1", "127.0.0.1")})
    action = actions(silent.getsockname()[1])[name]
    found = carry_out(reach, action, Limits(timeout=Duration(5 * 10**8)), CONTEXT)
    assert found.error_type == "timeout"
    assert found.duration_ns >= 5 * 10**8
