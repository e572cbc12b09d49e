from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.drive.sql import mysql, postgresql
from cleanroom.faults.access import Access
from cleanroom.faults.credentials.rotate import RotatedPassword
from cleanroom.spec.query import SqlAction
from tests.unit.faults.scenes import Engine, Time, context, event

WRONG = "sql:28P01"


def rotated(monkeypatch, user: str, answers) -> RotatedPassword:
    action = SqlAction(service="db", query="select 1", user="admin", password="old")
    where = replace(context(Engine(Time(), "db")), access=Access(sql={"db": action}))
    fault = RotatedPassword(event("credentials.rotate", "db", parameters={"user": user}), where, "db")
    known = {fault._password: "new", "old": "old"}
    monkeypatch.setattr(fault, "_logs_in", lambda password: answers[known.get(password, "wrong")])
    return fault


@pytest.mark.parametrize(
    ("user", "answers", "holds"),
    [
        ("app", {"new": "", "wrong": WRONG}, True),
        ("app", {"new": "sql:42501", "wrong": WRONG}, True),
        ("admin", {"new": "", "wrong": WRONG, "old": WRONG}, True),
        ("admin", {"new": "", "wrong": WRONG, "old": ""}, False),
        ("app", {"new": WRONG, "wrong": WRONG}, False),
        # A server that asks nobody for a password, one that is gone, and one that has no room left.
        ("app", {"new": "", "wrong": ""}, False),
        ("app", {"new": "connection_refused", "wrong": WRONG}, False),
        ("app", {"new": "connection_refused", "wrong": "connection_refused"}, False),
        ("app", {"new": "sql:53300", "wrong": WRONG}, False),
    ],
)
def test_a_password_is_another_one_where_it_opens_the_door_and_a_wrong_one_does_not(monkeypatch, user, answers, holds):
    found = rotated(monkeypatch, user, answers).verify()
    assert (found.holds, bool(found.reason)) == (holds, not holds)


@pytest.mark.parametrize(("dialect", "module"), [("postgresql", postgresql), ("mysql", mysql)])
def test_who_logs_in_where_nobody_is_named_is_known(monkeypatch, dialect, module):
    action = SqlAction(service="db", dialect=dialect, query="select 1", password="old")
    where = replace(context(Engine(Time(), "db")), access=Access(sql={"db": action}))
    fault = RotatedPassword(event("credentials.rotate", "db", parameters={"user": module._USER}), where, "db")
    answers = {fault._password: "", "old": ""}
    monkeypatch.setattr(fault, "_logs_in", lambda password: answers.get(password, WRONG))
    assert not fault.verify().holds
    fault._changed = True
    assert fault._admin().action.password == fault._password
