from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.spec.expect import Pattern
from cleanroom.validate.conditions import ORPHAN_REMEDY, UNSET_REMEDY
from cleanroom.validate.index import SpanIndex, matcher
from cleanroom.validate.lineage import Above
from cleanroom.validate.select import matches, names, near_misses, select
from cleanroom.validate.select import missed as lost
from cleanroom.validate.spans import judge_spans
from tests.unit.validate.builders import eq, findings, own, scene, span, want

TEXTS = st.sampled_from(
    ["", "GET", "GET /", "GET /a", "GET /b", "PUT /a", "a[b]", "a.b", "[b]", "\U0010ffff", "GET\U0010ffffx"]
)
PATTERNS = st.builds(
    Pattern,
    st.sampled_from(["", "*", "G*", "GET /?", "GET /[ab]", "*/a", "a[b]", "GET", "get*", "a.b", "^GET", "a.b$"]),
) | st.builds(Pattern, st.sampled_from(["^GET", "a.b$", "/", ""]), st.just(value=True))
MAYBE = st.none() | PATTERNS
ROWS = st.lists(
    st.tuples(
        TEXTS, st.sampled_from(["api", "db", ""]), st.sampled_from(["server", "client"]), TEXTS, st.integers(0, 3)
    ),
    max_size=12,
)  # fmt: skip


@given(PATTERNS, TEXTS)
def test_a_matcher_says_what_matching_says(pattern, text):
    assert matcher(pattern)(text) == matches(pattern, text) == pattern.matches(text)


@given(ROWS, MAYBE, MAYBE, st.sampled_from([None, "server", "Client"]), MAYBE, st.none() | st.integers(0, 3))
def test_looking_up_selects_what_asking_every_span_selects(rows, name, service, kind, scope, value):
    spans = [
        span(n, text, service=of, kind=k, scope=s, attrs={"v": v})
        for n, (text, of, k, s, v) in enumerate(rows, start=1)
    ]
    where = {} if value is None else {"v": eq(value)}
    wanted = want(name, service=service, kind=kind, scope=scope, where=where)
    whole = scene(*spans)

    asked = tuple(
        s
        for s in whole.service_spans
        if (name is None or names(name, s))
        and (service is None or matches(service, s.service))
        and (kind is None or s.kind.value == kind.lower())
        and (scope is None or matches(scope, s.scope.name))
        and (value is None or s.attributes["v"] == value)
    )
    selection = select(whole, wanted)

    assert selection.spans == asked
    missed = near_misses(wanted, lost(whole, wanted, selection))
    assert bool(missed) is (len(asked) < len(spans))
    assert all("lost by " in miss and not miss.endswith("lost by ") for miss in missed)


def test_a_name_is_looked_up_and_not_searched_for():
    asked = []

    class Counted(str):
        __slots__ = ()

        def startswith(self, *args):
            asked.append(self)
            return str.startswith(self, *args)

    index = SpanIndex(tuple(span(n, Counted(f"GET /{n:05}")) for n in range(1, 2000)))

    assert len(index.of(index.shapes(Pattern("GET /0001*")))) == 10
    assert len(asked) < 30


PARENTS = st.lists(st.integers(0, 8), min_size=8, max_size=8)


@given(PARENTS, st.lists(st.sampled_from("ab"), min_size=8, max_size=8))
def test_one_pass_knows_every_ancestor_loops_included(parents, letters):
    spans = [span(n, letters[n - 1], parent=parents[n - 1]) for n in range(1, 9)]
    whole = scene(*spans)
    above = Above(whole, Pattern("a"))

    for one in reversed(spans):
        assert above(one) == any(ancestor.name == "a" for ancestor in whole.ancestors(one))


def test_a_chain_of_very_many_spans_is_walked_once():
    deep = scene(*(span(n, "link", parent=n - 1) for n in range(1, 20_001)))

    (found,) = findings(judge_spans(deep, (want("link", ancestor="nobody"),)))

    assert found.found.startswith("20000 of 20000 spans break it")
    assert 'under "link" > "link": the ancestors are "link", "link"' in found.found


@pytest.mark.parametrize(
    ("wanted", "remedy"),
    [
        (want("get /"), 'case counts: there is "GET /"'),
        (want("GET /", kind="client"), "`kind client` alone lost what all else selects"),
        (want("GET /", service="db"), "`service db` alone lost"),
        (want("GET /", where={"a": eq(2)}), "`where a 2` alone lost"),
        (want(Pattern("^cleanroom", regex=True)), "name the runner's own by a glob"),
        (want("GET /", status=eq("ok")), UNSET_REMEDY),
        (want("GET /", status=eq("ok"), some=True), UNSET_REMEDY),
        (want("INSERT", parent="cleanroom.step*"), "`ancestor` asks for that"),
        (want("lost", parent="GET /"), ORPHAN_REMEDY),
        (want("lost", ancestor="GET /"), ORPHAN_REMEDY),
        (want("lost", root=True), ORPHAN_REMEDY),
        (want("back", duration=eq(1)), "clock ran backwards"),
        (want("nothing like it"), ""),
        (want("GET /", status=eq("error")), ""),
    ],
    ids=str,
)
def test_a_known_cause_comes_with_what_to_do(wanted, remedy):
    where = scene(
        own(3, "cleanroom.step:a"),
        span(10, "GET /", parent=3, attrs={"a": 1}),
        span(11, "INSERT", parent=10),
        span(12, "lost", parent=99),
        span(13, "back", start=9, end=8),
    )
    (found,) = findings(judge_spans(where, (wanted,)))

    assert found.remedy.startswith(remedy) or remedy in found.remedy
    assert bool(found.remedy) is bool(remedy)


def test_a_finding_tells_the_way_to_a_span():
    where = scene(
        own(1, "cleanroom.iteration"),
        span(10, "GET /", parent=1),
        span(11, "INSERT", parent=10),
        span(12, "x", parent=99),
    )
    told = {
        name: findings(judge_spans(where, (want(name, status=eq("ok")),)))[0].found for name in ("GET /", "INSERT", "x")
    }

    assert 'under "cleanroom.iteration": expected' in told["GET /"]
    assert 'under "cleanroom.iteration" > "GET /": expected' in told["INSERT"]
    assert f"under ({99:016x}, which never arrived)" in told["x"]
