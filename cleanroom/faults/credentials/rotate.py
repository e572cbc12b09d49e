"""`credentials.rotate(user)`: the user's password is another one until the fault's end."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from cleanroom.canonical import Json
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.database.session import Database, SqlRefusedError
from cleanroom.plan.model import FaultEvent
from cleanroom.spec.query import Dialect

_WRONG = ("sql:28P01", "sql:28000", "sql:1045", "sql:1698")
# The password was right, and the user may not, or cannot, see the database.
_LET_IN = ("", "sql:42501", "sql:3D000", "sql:1044", "sql:1049")
# MariaDB keeps accounts that it does not use, such as those of host names where it resolves none.
_UNUSED = "sql:1133"
# As whom an action logs in that names nobody.
_IMPLIED: Final[Mapping[Dialect, str]] = MappingProxyType({"postgresql": "postgres", "mysql": "root"})


class RotatedPassword:
    """One user of one server. The old password is never known: the server's own digest of it is put back."""

    def __init__(self, event: FaultEvent, context: FaultContext, target: str) -> None:
        self.target = target
        self._context = context
        self._user = str(event.parameters["user"])
        self._database = Database(context, target)
        self._password = hashlib.sha256(f"{event.stream}/password/{target}".encode()).hexdigest()[:32]
        self._old: list[tuple[str, str]] = []
        """Account, as the server writes it, and the words that give it its old password back."""
        self._changed = False
        self._lapsed = ""

    def _admin(self) -> Database:
        """Return the way in as it is now: it may be the user's own."""
        action = self._database.action
        if self._changed and self._known:
            return Database(self._context, self.target, replace(action, password=self._password))
        return Database(self._context, self.target, action)

    def inject(self) -> None:
        """Change the password; raises `EngineError` where there is no such user, or its password cannot be read."""
        read = self._read_mysql if self._database.dialect == "mysql" else self._read_postgresql
        self._old = read()
        if not self._old:
            raise EngineError(f"{self.target} has no user {self._user!r} with a password")
        by = "password" if self._database.dialect == "postgresql" else "identified by"
        # One connection for all: with the first account's password the way in may be another.
        with contextlib.closing(self._admin().open()) as session:
            for account, _ in self._old:
                session.ask(f"alter user {account} {by} '{self._password}'")
                self._changed = True

    def _read_postgresql(self) -> list[tuple[str, str]]:
        admin = self._admin()
        rows = admin.ask(
            "select quote_ident(rolname) as account, quote_literal(rolpassword) as digest from pg_authid "
            "where rolname = $1 and rolpassword is not null", self._user,
        )  # fmt: skip
        return [(str(row["account"]), f"password {row['digest']}") for row in rows]

    def _read_mysql(self) -> list[tuple[str, str]]:
        found = []
        admin = self._admin()
        for row in admin.ask("select concat(quote(user), '@', quote(host)) as account from mysql.user where user = %s",
                             self._user):  # fmt: skip
            account = str(row["account"])
            try:
                said = str(admin.one(f"show create user {account}"))
            except SqlRefusedError as err:
                if err.error_type == _UNUSED:
                    continue
                raise
            # `CREATE USER `u`@`h` IDENTIFIED BY PASSWORD '*…'`: what follows the name is what ALTER USER takes.
            _, known, rest = said.partition(" IDENTIFIED ")
            if known:
                found.append((account, f"identified {rest}"))
        return found

    def _logs_in(self, password: str) -> str:
        """Return the error type of logging in with `password`; empty when it works."""
        action = replace(self._database.action, user=self._user, password=password)
        try:
            Database(self._context, self.target, action).ask("select 1")
        except SqlRefusedError as err:
            return err.error_type
        return ""

    @property
    def _known(self) -> bool:
        """Whether the spec itself logs in as this user, so that the old password can be tried."""
        action = self._database.action
        return (action.user or _IMPLIED[action.dialect]) == self._user

    def verify(self) -> Evidence:
        """Hold when the new password opens the door, and the old one, where the spec knows it, does not.

        A password that was never set must not open it either: else the server asks nobody for one.
        """
        new = self._logs_in(self._password)
        wrong = self._logs_in(self._password[::-1])
        old = self._logs_in(self._database.action.password) if self._known else "not tried"
        facts: dict[str, Json] = {
            "new_password": new or "accepted", "old_password": old or "accepted", "wrong_password": wrong or "accepted"
        }  # fmt: skip
        if wrong not in _WRONG:
            reason = f"no password keeps anybody out as {self._user}: a wrong one got {wrong or 'in'}"
        else:
            changed = new in _LET_IN and (not self._known or old in _WRONG)
            reason = "" if changed else f"the password did not change: the new one got {new or 'in'}"
        return Evidence(holds=not reason, facts=facts, reason=reason)

    def revert(self) -> None:
        """Give the old password back to each account."""
        if not self._changed:
            return
        if self._logs_in(self._password) in _WRONG:
            self._lapsed = "the password was changed by somebody else meanwhile"
        with contextlib.closing(self._admin().open()) as session:
            for account, old in self._old:
                session.ask(f"alter user {account} {old}")
        self._changed = False

    def verify_reversal(self) -> Evidence:
        """Hold when the new password is refused, and the old one, where the spec knows it, is not."""
        if not self._old:
            return Evidence(holds=True)
        new = self._logs_in(self._password)
        old = self._logs_in(self._database.action.password) if self._known else ""
        facts: dict[str, Json] = {"new_password_after": new or "accepted", "old_password_after": old or "accepted"}
        holds = new in _WRONG and old in _LET_IN
        return Evidence(holds=holds, facts=facts, reason="" if holds else "the old password is not back",
                        lapsed=self._lapsed)  # fmt: skip
