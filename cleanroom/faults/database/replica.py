"""`database.pause_replay` and `database.promote`: what a PostgreSQL replica does with what it receives."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.database.session import Database

_PATIENCE = 10.0
_PAUSE = 0.05


class _Replica:
    """One replica."""

    def __init__(self, context: FaultContext, target: str) -> None:
        self.target = target
        self._database = Database(context, target)
        self._clock = context.clock
        if self._database.dialect != "postgresql":
            raise CapabilityError(f"{target}: only a replica of PostgreSQL can be struck so")

    def _in_recovery(self) -> bool:
        return self._database.one("select pg_is_in_recovery()") is True

    def _require_replica(self) -> None:
        if not self._in_recovery():
            raise EngineError(f"{self.target} is no replica: it is not in recovery")

    def _becomes(self, statement: str, wanted: Json) -> bool:
        deadline = Deadline.after(self._clock, _PATIENCE)
        while not (reached := self._database.one(statement) == wanted) and not deadline.expired():
            self._clock.sleep(_PAUSE)
        return reached


class PausedReplay(_Replica):
    """The replica receives and does not apply."""

    _STATE = "select pg_get_wal_replay_pause_state()"
    _LAG = "select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint"

    def __init__(self, context: FaultContext, target: str) -> None:
        super().__init__(context, target)
        self._paused = False
        self._lapsed = ""
        self._lag: Json = None

    def inject(self) -> None:
        """Ask it to stop applying; raises `EngineError` where it is no replica, or does not apply already."""
        self._require_replica()
        if self._database.one(self._STATE) != "not paused":
            raise EngineError(f"{self.target} does not apply what it receives already")
        self._paused = True
        self._database.ask("select pg_wal_replay_pause()")

    def verify(self) -> Evidence:
        """Hold when the server says that it has stopped."""
        paused = self._becomes(self._STATE, "paused")
        facts: dict[str, Json] = {"replay": "paused" if paused else "not paused"}
        return Evidence(holds=paused, facts=facts, reason="" if paused else "the replica did not stop applying")

    def revert(self) -> None:
        """Let it apply again."""
        if not self._paused:
            return
        self._paused = False
        if self._in_recovery():
            self._lag = self._database.one(self._LAG)
            state = self._database.one(self._STATE)
            self._lapsed = "" if state == "paused" else f"its replay was {state} before the fault's end"
            self._database.ask("select pg_wal_replay_resume()")
        else:
            self._lapsed = "it was promoted meanwhile"

    def verify_reversal(self) -> Evidence:
        """Hold when it applies again, or is no replica any more."""
        back = not self._in_recovery() or self._becomes(self._STATE, "not paused")
        reason = "" if back else "the replica does not apply what it receives"
        return Evidence(holds=back, facts={"behind_bytes": self._lag}, reason=reason, lapsed=self._lapsed)


class Promoted(_Replica):
    """The replica is a primary from now on: nothing takes that back."""

    def inject(self) -> None:
        """Promote it; raises `EngineError` where it is no replica."""
        self._require_replica()
        self._database.ask("select pg_promote(false)")

    def verify(self) -> Evidence:
        """Hold when it is not in recovery any more."""
        done = self._becomes("select pg_is_in_recovery()", wanted=False)
        reason = "" if done else f"{self.target} is still in recovery"
        return Evidence(holds=done, facts={"was_replica": True, "in_recovery": not done}, reason=reason)

    def revert(self) -> None:
        """Nothing: a promotion is for good."""

    def verify_reversal(self) -> Evidence:
        """Hold always."""
        return Evidence(holds=True)
