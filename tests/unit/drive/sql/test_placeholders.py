from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.sql.lexer import tokens
from cleanroom.drive.sql.placeholders import PlaceholderError, bind, with_context

DIALECTS = ("postgresql", "mysql")
CONTEXT = {"traceparent": "00-1-2-01"}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text(alphabet="ab1 \n'\"`$:?;-/*#\\%e"))
def test_the_tokens_of_a_text_are_the_text(dialect, text):
    found = tuple(tokens(text, dialect))
    assert "".join(token.text for token in found) == text
    assert all(token.text for token in found)


@pytest.mark.parametrize(
    ("dialect", "statement", "parameters", "text", "values"),
    [
        ("postgresql", "select $1, $2", [7, "a"], "select $1, $2", (7, "a")),
        ("postgresql", "select $2, $1, $2", [7, "a"], "select $1, $2, $1", ("a", 7)),
        ("postgresql", "select ?, ?", [7, None], "select $1, $2", (7, None)),
        ("postgresql", "select a ? 'b' from t where c = $1", [1], "select a ? 'b' from t where c = $1", (1,)),
        ("postgresql", "select :a::text, b[1:2], ':a', :a", {"a": 1}, "select $1::text, b[1:2], ':a', $1", (1,)),
        ("postgresql", "select $$ :a $$, $x$ ? $x$ -- ?\n, ?", [1], "select $$ :a $$, $x$ ? $x$ -- ?\n, $1", (1,)),
        ("postgresql", "select E'\\'?' /* ? /* ? */ ? */, \"?\", ?", [1],
         "select E'\\'?' /* ? /* ? */ ? */, \"?\", $1", (1,)),
        ("postgresql", "select 5 % 3, a$1 from t where b = $1", [1], "select 5 % 3, a$1 from t where b = $1", (1,)),
        ("mysql", "select $1, $2, $1", [7, "a"], "select %s, %s, %s", (7, "a", 7)),
        ("mysql", "select ?, '?', `?`, \"?\" # ?\n, ?", [1, 2], "select %s, '?', `?`, \"?\" # ?\n, %s", (1, 2)),
        ("mysql", "select 5 % 3, 'a%', :n", {"n": 1.5}, "select 5 %% 3, 'a%%', %s", (1.5,)),
        ("mysql", "select '\\'?', 1--?\n, /* ? */ 2", [1], "select '\\'?', 1--%s\n, /* ? */ 2", (1,)),
        ("mysql", "select '%'", [], "select '%'", ()),
    ],
)  # fmt: skip
def test_placeholders_become_the_drivers(dialect, statement, parameters, text, values):
    bound = bind(statement, parameters, dialect)
    assert (bound.text, bound.values) == (text, values)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("statement", "parameters", "said"),
    [
        ("select $1, $3", [1, 2], r"the placeholder \$3 has no value: given are 1, 2"),
        ("select ?, ?", [1], r"the placeholder \? has no value: given are 1"),
        ("select :b", {"a": 1}, "the placeholder :b has no value: given are a"),
        ("select $1", [1, 2], r"no placeholder takes the parameter 2: write \$2"),
        ("select ':a'", {"a": 1}, "no placeholder takes the parameter a: write :a"),
    ],
)
def test_what_does_not_fit_is_not_sent(dialect, statement, parameters, said):
    with pytest.raises(PlaceholderError, match=said):
        bind(statement, parameters, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("statement", "sent"),
    [
        ("select 1", "select 1 /*traceparent='00-1-2-01'*/"),
        ("select 1 ; \n ;", "select 1 /*traceparent='00-1-2-01'*/"),
        ("select ';'", "select ';' /*traceparent='00-1-2-01'*/"),
        ("select 1 -- one", "select 1 -- one\n/*traceparent='00-1-2-01'*/"),
        ("", ""),
    ],
)
def test_the_context_of_the_trace_stands_in_a_comment_at_the_end(dialect, statement, sent):
    assert with_context(statement, CONTEXT, dialect) == sent
    assert with_context("select 1;", {}, dialect) == "select 1"
