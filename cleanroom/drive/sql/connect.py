"""Opens a connection to a database; a server's library is loaded when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cleanroom.drive.reach import Stopping
    from cleanroom.drive.sql.answer import Connection
    from cleanroom.spec.query import Dialect, SqlAction


def load(dialect: Dialect) -> None:
    """Load what connections of `dialect` need, so that opening one does not wait for it."""
    if dialect == "mysql":
        import cleanroom.drive.sql.mysql  # noqa: PLC0415 - a driver process that asks no such server starts sooner
    else:
        import cleanroom.drive.sql.postgresql  # noqa: F401, PLC0415 - as above


def connect_to(address: str, action: SqlAction, deadline: float, stop: Stopping | None = None) -> Connection:
    """Return a connection, every wait of which ends at `deadline` (on `time.monotonic()`) or when `stop` is requested.

    Raises `RefusedError`.
    """
    if action.dialect == "mysql":
        from cleanroom.drive.sql.mysql import MysqlConnection  # noqa: PLC0415 - as above

        return MysqlConnection(address, action, deadline, stop)
    from cleanroom.drive.sql.postgresql import PostgresqlConnection  # noqa: PLC0415 - as above

    return PostgresqlConnection(address, action, deadline, stop)
