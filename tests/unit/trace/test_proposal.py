from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.trace.applied import applied
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.divergence import first_divergence
from cleanroom.trace.model import Resource, SpanEvent, SpanKind, SpanLink, StatusCode, Trace
from cleanroom.trace.normalise import NormaliseOptions, normalise
from cleanroom.trace.proposal import Rules
from tests.unit.trace.spans import TRACE, forests, runner, span, system

INSERT = "cleanroom.iteration > cleanroom.step:place > POST /orders > INSERT orders"
WORDS = "".join
RANDOM = random.Random(42)  # noqa: S311 -- noise for tests


def judged(traces, watch=None, **options):
    """The divergence of the traces, proposals tried by normalising again."""
    wanted = NormaliseOptions(**options)

    def again(index, rules):
        return normalise(traces[index], rules.added_to(wanted))

    return first_divergence([normalise(trace, wanted) for trace in traces], again=again, watch=watch)


def digests(traces, rules=None, **options):
    wanted = (rules or Rules()).added_to(NormaliseOptions(**options))
    return {trace_digest(normalise(trace, wanted)) for trace in traces}


def renamed(name):
    return Trace.of([replace(s, name=name) if s.name == "INSERT orders" else s for s in system().spans])


def items_in_another_order(seed):
    items = ["a", "b", "c", "d", "e"]
    random.Random(seed).shuffle(items)  # noqa: S311 -- noise for tests
    return tuple(items)


def at(**attributes):
    return system(**attributes)


NUISANCES = {
    "random attribute": (
        [at(**{"order.id": RANDOM.getrandbits(63)}) for _ in range(5)],
        "attributes.order.id", "drop: [order.id]",
    ),
    "random text in an attribute": (
        [at(token=f"{RANDOM.getrandbits(128):032x}") for _ in range(5)],
        "attributes.token", "drop: [token]",
    ),
    "random span name": (
        [renamed(f"INSERT orders_{RANDOM.getrandbits(32):08x}") for _ in range(5)],
        "name", 'replace: [{pattern: "^INSERT orders_[0-9a-fA-F]{8}$", with: "INSERT orders_<hex>"}]',
    ),
    "numbered span name": (
        [renamed(f"INSERT orders 10{n}") for n in range(5)],
        "name", 'replace: [{pattern: "^INSERT orders \\\\d+$", with: "INSERT orders <n>"}]',
    ),
    "timestamp in an attribute": (
        [at(seen=f"2026-11-2{n}T08:00:0{n}.{n}Z") for n in range(5)], "attributes.seen", "drop: [seen]",
    ),
    "timestamp within a text": (
        [at(note=f"order placed at 2026-11-2{n}T08:00:0{n}Z") for n in range(5)],
        "attributes.note", None,
    ),
    "order of a map, as an array": (
        [at(keys=items_in_another_order(n)) for n in range(5)], "attributes.keys", "drop: [keys]",
    ),
    "order of a map, as a text": (
        [at(body=WORDS(items_in_another_order(n))) for n in range(5)], "attributes.body", "drop: [body]",
    ),
    "random port": (
        [at(**{"app.port": 32768 + 101 * n}) for n in range(5)], "attributes.app.port", "drop: [app.port]",
    ),
    "random port in a URL": (
        [at(**{"url.full": f"http://localhost:{40000 + n}/orders/all"}) for n in range(5)],
        "attributes.url.full",
        'replace: [{pattern: "^http://localhost:\\\\d+/orders/all$", with: "http://localhost:<n>/orders/all"}]',
    ),
    "pid": ([at(**{"worker.pid": 4000 + n}) for n in range(5)], "attributes.worker.pid", "drop: [worker.pid]"),
    "hostname": (
        [at(node=f"api-{RANDOM.getrandbits(40):010x}") for _ in range(5)], "attributes.node", "drop: [node]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_a_nuisance_of_five_runs_is_named_by_path_and_attribute_with_a_rule_that_works(nuisance):
    traces, attribute, proposal = NUISANCES[nuisance]
    assert len(digests(traces)) == 5
    found = judged(traces)
    path = f"{INSERT.rpartition(' > ')[0]} > {normalise(traces[0], NormaliseOptions()).spans[-2].name}"
    assert (found.left, found.right, found.attribute) == (0, 1, attribute)
    assert found.path.startswith(INSERT.rpartition(" > ")[0]) or path == found.path
    assert found.classification == "value"
    assert found.proposal
    assert proposal in (None, found.proposal)
    assert len(digests(traces, found.rules)) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        [{"process.pid": n} for n in range(5)],
        [{"host.name": f"h{n}"} for n in range(5)],
        [{"map": dict.fromkeys(items_in_another_order(n), 1)} for n in range(5)],
        [dict.fromkeys(items_in_another_order(n), 1) for n in range(5)],
        [{"client.port": 40000 + n} for n in range(5)],
    ],
)
def test_what_the_built_in_rules_know_is_no_divergence(attributes):
    assert judged([at(**each) for each in attributes]) is None


def test_spans_that_begin_in_the_order_of_a_map_differ_only_where_order_counts():
    def trace(names):
        return Trace.of([span("root", 1), *(span(name, n, 1) for n, name in enumerate(names, start=2))])

    traces = [trace(items_in_another_order(n)) for n in range(5)]
    assert judged(traces) is None
    found = judged(traces, siblings="by_start")
    assert (found.classification, found.proposal) == ("order", "siblings: unordered")
    assert len(digests(traces, found.rules, siblings="by_start")) == 1


def retried(tries):
    calls = [span("POST /pay", n, 1, kind=SpanKind.CLIENT, status=StatusCode.ERROR) for n in range(2, 1 + tries)]
    return Trace.of([span("POST /orders", 1), *calls, span("POST /pay", 9, 1, kind=SpanKind.CLIENT)])


RETRIED = [retried(1), retried(1), retried(1), retried(2), retried(1)]


def test_an_extra_retry_is_named_and_shown_among_its_siblings_with_a_rule_that_works():
    found = judged(RETRIED)
    assert (found.right, found.path, found.classification) == (3, "POST /orders > POST /pay", "extra span")
    assert found.proposal == 'drop_spans: ["POST /pay"]'
    assert len(digests(RETRIED, found.rules)) == 1
    assert [(row.left, row.right, row.differs) for row in found.rows if row.differs] == [
        ("(absent)", "POST /pay", True)
    ]


def test_several_nuisances_are_proposed_together():
    traces = [at(**{"order.id": n, "url.full": f"http://db:{5000 + n}/orders/all", "node": f"n{n}"}) for n in range(5)]
    found = judged(traces)
    assert found.rules.drop == ("node", "order.id")
    assert [text for _, text in found.rules.replace] == ["http://db:<n>/orders/all"]
    assert len(digests(traces, found.rules)) == 1


def test_an_attribute_whose_texts_need_more_replacements_than_a_person_reads_is_dropped():
    def trace(salt):
        return Trace.of(
            [span(f"s{n}", n, attributes={"note": f"job {'abcdefghij'[n % 10] * n} took {salt}"}) for n in range(1, 90)]
        )  # fmt: skip

    found = judged([trace(1), trace(2)])
    assert found.proposal == "drop: [note]"


class Watch:
    def __init__(self, **looked):
        self.looked = looked

    def attribute(self, name):
        return "expect.spans (s:3)" if name in self.looked.get("attributes", ()) else ""

    def names(self, names):
        hits = [n for n in names if re.search(self.looked.get("name", "$x"), n)]
        return "expect.graph (s:9)" if 0 < len(hits) < len(names) else ""

    def spans(self, name):
        return "expect.spans (s:5)" if name in self.looked.get("spans", ()) else ""

    def events(self, _names):
        return "expect.spans (s:4)" if self.looked.get("events") else ""

    def order(self, _names):
        return "expect.order (s:7)" if self.looked.get("order") else ""


def test_an_attribute_that_an_expectation_looks_at_is_never_dropped():
    traces = [at(**{"order.id": n, "node": n}) for n in range(5)]
    found = judged(traces, Watch(attributes=["order.id"]))
    assert (found.proposal, found.rules) == ("", None)
    assert found.obstacle == "expect.spans (s:3) looks at order.id, and a rule would hide its differences"
    assert judged(traces, Watch(attributes=["other"])).proposal == "drop: [node, order.id]"


def test_names_that_an_expectation_tells_apart_are_never_made_one():
    traces = [renamed(f"INSERT orders_{n}") for n in range(5)]
    assert judged(traces, Watch(name="_3$")).obstacle.startswith("expect.graph (s:9) tells these names apart")
    assert judged(traces, Watch(name="_\\d$")).proposal


def test_a_replacement_that_would_reach_an_attribute_that_is_looked_at_is_not_offered():
    traces = [
        Trace.of([span(f"job number {n}", 1), span("s", 2, attributes={"job": "job number 9", "n": 0})])
        for n in range(5)
    ]
    assert judged(traces).proposal
    found = judged(traces, Watch(attributes=["job"]))
    assert found.obstacle.startswith("expect.spans (s:3) looks at job")


def test_a_retry_that_an_expectation_looks_at_is_never_left_out():
    found = judged(RETRIED, Watch(spans=("POST /pay",)))
    assert found.proposal == ""
    assert "expect.spans (s:5) looks at it" in found.obstacle


def test_what_one_run_did_and_another_did_not_at_all_is_no_repetition():
    whole = Trace.of([span("POST /orders", 1), span("INSERT", 2, 1)])
    found = judged([whole, Trace.of([span("POST /orders", 1)])])
    assert (found.classification, found.proposal) == ("missing span", "")
    assert "not in every iteration" in found.obstacle


def test_an_order_that_an_expectation_judges_is_not_given_up():
    one, other = ([span("p", 1), span(a, 2, 1), span(b, 3, 1)] for a, b in ("ab", "ba"))
    found = judged([Trace.of(one), Trace.of(other)], Watch(order=True), siblings="by_start")
    assert found.obstacle == "expect.order (s:7) judges the order of these spans"


def test_an_event_with_a_random_name_is_replaced_unless_it_is_looked_at():
    def trace(n):
        return Trace.of([span("s", 1, events=(SpanEvent(name=f"retry {n}", time_ns=1),))])

    traces = [trace(n) for n in range(5)]
    assert judged(traces).proposal == 'replace: [{pattern: "^retry \\\\d+$", with: "retry <n>"}]'
    assert "expect.spans (s:4) tells these events apart" in judged(traces, Watch(events=True)).obstacle


def test_a_link_follows_the_name_of_what_it_points_to():
    def trace(n):
        link = SpanLink(trace_id=TRACE, span_id=f"{1:016x}")
        return Trace.of([span(f"job {n}", 1), span("s", 2, links=(link,))])

    traces = [trace(n) for n in range(5)]
    found = judged(traces)
    assert len(found.rules.replace) == 1
    assert len(digests(traces, found.rules)) == 1
    assert first_divergence([normalise(t, NormaliseOptions()) for t in traces]).rules == found.rules


@pytest.mark.parametrize(
    ("one", "other"),
    [("GET /a", "POST /a"), ("a", "b"), ("INSERT orders", "INSERT"), ("", "x"), ("read file", "read files")],
)
def test_words_that_differ_are_no_noise(one, other):
    found = judged([renamed(one), renamed(other)])
    assert found.attribute == "name"
    assert found.proposal == ""
    assert "differs in more than numbers, ids and times" in found.obstacle


def test_a_status_is_never_normalised():
    broken = Trace.of([replace(s, status=StatusCode.ERROR) if s.name == "INSERT orders" else s for s in at(n=1).spans])
    found = judged([at(n=0), broken])
    assert (found.classification, found.proposal) == ("status", "")
    assert found.obstacle.startswith(f"{INSERT}, status,")


def test_the_rows_beside_each_other_name_the_span_and_every_field_that_differs():
    found = judged([at(a=1, b=2, same=0), at(a=2, b=3, same=0)])
    assert [(r.what, r.left, r.right, r.differs) for r in found.rows] == [
        ("name", "INSERT orders", "INSERT orders", False),
        ("service", "api", "api", False),
        ("kind", "client", "client", False),
        ("status", "unset", "unset", False),
        ("attributes.a", "1", "2", True),
        ("attributes.b", "2", "3", True),
    ]


def test_the_rows_of_a_missing_span_are_its_siblings_around_it():
    def trace(missing):
        return Trace.of([span("p", 1), *(span(f"c{n:02}", n, 1) for n in range(2, 60) if n != missing)])

    found = judged([trace(0), trace(30)])
    assert [(r.left, r.right) for r in found.rows if r.differs] == [("c30", "(absent)")]
    assert [r.left for r in found.rows if not r.differs][:3] == ["c27", "c28", "c29"]
    assert len(found.rows) < 12


_names = st.sampled_from(["GET /7", "job 12", "x", "id 5"])


@given(
    forests(8),
    st.lists(st.sampled_from(["a", "b", "int"]), max_size=2, unique=True),
    st.lists(st.tuples(st.sampled_from(["\\d+", "^GET", "[ab]"]), st.sampled_from(["<n>", "", "x"])), max_size=2),
    st.sampled_from(["unordered", "by_start"]),
)
def test_rules_applied_to_what_is_normalised_are_rules_applied_to_the_spans(spans, drop, pairs, siblings):
    more = {
        "resource": Resource(attributes={"service.name": "api", "int": "a1", "m": {"k": "b2"}}),
        "links": (SpanLink(trace_id=TRACE, span_id=f"{1:016x}", attributes={"a": 1}),),
    }
    marks = [SpanEvent(name=f"e{n}", time_ns=0, attributes={"a": "1b", "z": ("7", 7)}) for n in range(len(spans))]
    spans = [
        replace(s, name=f"{s.name}{n}", events=(mark,), **more)
        for n, (s, mark) in enumerate(zip(spans, marks, strict=True))
    ]
    rules, options = Rules(drop=tuple(drop), replace=tuple(pairs)), NormaliseOptions(siblings=siblings)
    trace = Trace.of([*spans, runner("cleanroom.step:a", 99, attributes={"type": "a1"})])
    once = applied(normalise(trace, options), rules)
    assert once.spans == normalise(trace, rules.added_to(options)).spans
