"""`database.lock(table, mode)`: a session of ours holds the lock until the fault's end."""

from __future__ import annotations

from typing import Final

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.database.session import Database, Session, SqlRefusedError
from cleanroom.plan.model import FaultEvent

# As long as the table's own users may hold it.
_WAIT: Final = 10
_MYSQL_MODES: Final = ("read", "write")
_BUSY: Final = ("sql:1205", "sql:3024", "sql:1969")
_HELD: Final = "select count(*) from pg_locks where pid = $1 and relation = $2::regclass and mode = $3 and granted"
_WAITING: Final = "select count(*) from pg_locks where not granted and relation = $1::regclass"


class TableLock:
    """The lock on one server."""

    def __init__(self, event: FaultEvent, context: FaultContext, target: str) -> None:
        self.target = target
        self._database = Database(context, target)
        self._table = str(event.parameters["table"])
        self._mode = str(event.parameters["mode"])
        self._holder: Session | None = None
        self._id = 0
        self._quoted = ""
        self._locked = False
        self._lapsed = ""
        if self._database.dialect == "mysql" and self._mode == "access exclusive":
            self._mode = "write"  # the default of the language is PostgreSQL's word for it
        if (self._mode in _MYSQL_MODES) != (self._database.dialect == "mysql"):
            raise CapabilityError(
                f"{self._database.dialect} has no lock {self._mode!r} on a table",
                remedy="use read or write for MySQL and MariaDB, the others for PostgreSQL",
            )

    def inject(self) -> None:
        """Take the lock, waiting ten seconds at most for those who have it; raises `EngineError`."""
        self._holder = holder = self._database.open()
        self._id = holder.id()
        if self._database.dialect == "mysql":
            self._quoted = ".".join(f"`{part.replace('`', '``')}`" for part in self._table.split("."))
            holder.ask(f"set session lock_wait_timeout = {_WAIT}")
            holder.ask(f"lock tables {self._quoted} {self._mode}", patience=_WAIT + 5.0)
            self._locked = True
            return
        # The server itself says how the name is written, so that nothing of the spec is taken for a statement.
        self._quoted = str(holder.one("select $1::regclass::text", self._table))
        holder.ask("begin")
        holder.ask("set local idle_in_transaction_session_timeout = 0")
        holder.ask(f"set local lock_timeout = '{_WAIT}s'")
        holder.ask(f"lock table {self._quoted} in {self._mode} mode", patience=_WAIT + 5.0)
        self._locked = True

    def verify(self) -> Evidence:
        """Hold when another connection sees the lock: in the server's own table, or by being refused one."""
        held = self._held()
        facts: dict[str, Json] = {"table": self._quoted, "mode": self._mode, "held": held}
        return Evidence(holds=held, facts=facts, reason="" if held else f"{self._quoted} is not locked by the fault")

    def _held(self) -> bool:
        if self._holder is None:
            return False
        if self._database.dialect == "postgresql":
            mode = "".join(word.capitalize() for word in self._mode.split()) + "Lock"
            return self._database.one(_HELD, self._id, self._quoted, mode) == 1
        # That somebody has the lock is seen by being refused it; that it is ours, by our being there.
        if self._id not in self._database.sessions():
            return False
        session = self._database.open()
        try:
            session.ask("set session lock_wait_timeout = 1")
            session.ask(f"lock tables {self._quoted} write")
        except SqlRefusedError as err:
            if err.error_type in _BUSY:
                return True
            raise
        finally:
            session.close()
        return False

    def revert(self) -> None:
        """Let go of the lock, and note whether it was held until now."""
        holder = self._holder
        if holder is None:
            return
        try:
            if self._locked and not self._held():
                self._lapsed = "the lock was not held any more when it was to be released"
        finally:
            self._holder = None
            holder.close()

    def verify_reversal(self) -> Evidence:
        """Hold when the server knows nothing of the lock any more."""
        if not self._id:
            return Evidence(holds=True)
        facts: dict[str, Json] = {}
        if self._database.dialect == "postgresql" and self._quoted:
            facts["waiting_after"] = self._database.one(_WAITING, self._quoted)
        gone = self._database.gone(self._id)
        reason = "" if gone else "its session is still there"
        return Evidence(holds=gone, facts=facts, reason=reason, lapsed=self._lapsed)
