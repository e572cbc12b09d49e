from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.sql.statements import split


def texts(text, dialect):
    return [statement.text for statement in split(text, dialect)]


@pytest.mark.parametrize(
    ("dialect", "text", "found"),
    [
        ("postgresql", "select 1; select 2", ["select 1", "select 2"]),
        ("postgresql", "-- only this\n;;\n/* and */ ;", []),
        ("postgresql", "select ';', \";\" /* ; */ -- ;\n;select 2;", ["select ';', \";\" /* ; */ -- ;", "select 2"]),
        ("postgresql", "do $x$ begin; end $x$; select 2", ["do $x$ begin; end $x$", "select 2"]),
        ("postgresql", "create rule r as on insert to t do (select 1; select 2); select 3",
         ["create rule r as on insert to t do (select 1; select 2)", "select 3"]),
        ("postgresql",
         "create or replace function f() returns int begin atomic select case when a then 1 end; select 2; end; begin",
         ["create or replace function f() returns int begin atomic select case when a then 1 end; select 2; end",
          "begin"]),
        ("postgresql", "begin; insert into t values (1); end;", ["begin", "insert into t values (1)", "end"]),
        ("postgresql", "select ) ; select 2", ["select )", "select 2"]),
        ("mysql", "select ';'; # ;\nselect 2", ["select ';'", "select 2"]),
        ("mysql", "delimiter //\ncreate procedure p() begin select 1; end//\nDELIMITER ;\ncall p();",
         ["create procedure p() begin select 1; end", "call p()"]),
        ("mysql", "select 'a\\';b'; select `;`", ["select 'a\\';b'", "select `;`"]),
        ("postgresql", "select 'not closed; select 2", ["select 'not closed; select 2"]),
    ],
)  # fmt: skip
def test_a_file_is_split_as_the_servers_own_client_does_it(dialect, text, found):
    assert texts(text, dialect) == found


def test_a_statement_knows_its_line():
    found = split("\ufeff-- head\n\nselect 1;\n\n-- next\nselect\n2; select 3", "postgresql")
    assert [(s.text, s.line) for s in found] == [("select 1", 3), ("select\n2", 6), ("select 3", 7)]


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
@given(names=st.lists(st.text(alphabet="ab;'$\n-", max_size=8), max_size=6))
def test_quoted_text_never_ends_a_statement(dialect, names):
    written = ["select '" + name.replace("'", "''") + "'" for name in names]
    assert texts(";\n".join(written), dialect) == written
