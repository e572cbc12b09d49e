"""The rungs of the family database."""

from __future__ import annotations

from collections.abc import Callable

from cleanroom.faults import needs
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.database.connections import HeldConnections
from cleanroom.faults.database.kill_sessions import KilledSessions
from cleanroom.faults.database.lock import TableLock
from cleanroom.faults.database.replica import PausedReplay, Promoted
from cleanroom.faults.each import OnOne, open_each
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.plan.model import FaultEvent


def _ladder(kind: str, make: Callable[[FaultEvent, FaultContext, str], OnOne], mechanism: str, proof: str) -> Ladder:
    def open_it(event: FaultEvent, context: FaultContext) -> ActiveFault:
        return open_each(event, context, "sql", make)

    return Ladder(
        kind=kind, rungs=(Rung(name="sql", mechanism=mechanism, needs=(needs.SQL,), proof=proof),), open=open_it
    )


LADDERS: tuple[Ladder, ...] = (
    _ladder(
        "database.lock", TableLock, "a session of ours takes the lock and keeps it",
        "another session finds it in pg_locks, or is refused one (MySQL)",
    ),
    _ladder(
        "database.kill_sessions", KilledSessions, "pg_terminate_backend, or KILL CONNECTION, of drawn sessions",
        "the server does not list them any more",
    ),
    _ladder(
        "database.exhaust_connections", HeldConnections, "connections of ours until the server refuses one",
        "one more is refused with 53300 (1040)",
    ),
    _ladder(
        "database.pause_replay", lambda _event, context, target: PausedReplay(context, target), "pg_wal_replay_pause",
        "pg_get_wal_replay_pause_state says `paused`",
    ),
    _ladder(
        "database.promote", lambda _event, context, target: Promoted(context, target), "pg_promote",
        "the server is not in recovery any more",
    ),
)  # fmt: skip
