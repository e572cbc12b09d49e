"""What `expect.graph` can ask, each with spans on which it holds and spans on which it breaks."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.spec.graph import EdgeExpectation, GraphExpectation
from cleanroom.spec.pattern import Pattern
from tests.unit.validate.builders import AT, TRACE, own, sid, span

OTHER = "b" * 32
PAIRS = ("edges", "no_edges", "paths", "no_paths", "service_edges")


def pair(parent, child, **kw):
    def pattern(text):
        return Pattern(text[1:-1], regex=True) if text.startswith("/") else Pattern(text)

    return EdgeExpectation(parent=pattern(parent), child=pattern(child), at=AT, **kw)


def graph(**kw):
    """A block of `graph`, its pairs as tuples of two texts."""
    made = {k: tuple(p if isinstance(p, EdgeExpectation) else pair(*p) for p in v) if k in PAIRS else v
            for k, v in kw.items()}  # fmt: skip
    return GraphExpectation(at=AT, **made)


STEP = own(3, "cleanroom.step:place", parent=2)
RUNNER = (own(1, "cleanroom.iteration"), own(2, "cleanroom.scenario", parent=1), STEP)
# SHOP is one chain: the step of the runner, web.post, api.checkout, api.price, db.insert.
WEB = span(10, "web.post", parent=3, service="web")
TOP = span(10, "web.post", service="web")
API = span(11, "api.checkout", parent=10)
PRICE = span(12, "api.price", parent=11)
DB = span(13, "db.insert", parent=12, service="db")
SHOP = (*RUNNER, WEB, API, PRICE, DB)
ORPHAN = span(20, "late", parent=99, service="api")
LOOP = (span(30, "ring.a", parent=31), span(31, "ring.b", parent=30))
SELF = span(33, "selfish", parent=33)
ALONE = span(40, "cron", trace=OTHER)
TWO = span(41, "cron.too", trace=OTHER)
QUEUE = span(50, "web.callback", parent=13, service="web")
FORGED = span(3, "forged", parent=0)


def all_of(key, value, **kw):
    return graph(**{key: value}, **kw)


CASES = {
    # what is asked: (the block, the spans on which it holds, the spans on which it breaks)
    "an edge": (graph(edges=[("web.post", "api.checkout")]), SHOP, (*RUNNER, WEB, PRICE, DB)),
    "an edge of globs": (graph(edges=[("web.*", "api.*")]), SHOP, (*RUNNER, WEB, replace(API, parent_id=sid(3)))),
    "an edge by expression": (graph(edges=[("/^web", "/checkout$")]), SHOP, (WEB, PRICE)),
    "case counts": (graph(edges=[("web.post", "api.checkout")]), SHOP, (replace(WEB, name="Web.post"), API)),
    "an edge is no path": (
        graph(edges=[("api.checkout", "api.price")]),
        SHOP, (API, span(14, "x", parent=11), span(12, "api.price", parent=14)),
    ),
    "an edge has a direction": (
        graph(edges=[("api.checkout", "api.price")]),
        SHOP, (replace(API, parent_id=sid(12)), replace(PRICE, parent_id="")),
    ),
    "an edge from the runner": (
        graph(edges=[("cleanroom.step*", "web.post")]),
        SHOP, (*RUNNER, replace(WEB, parent_id=sid(2))),
    ),
    "an edge of the runner": (
        graph(edges=[("cleanroom.scenario", "cleanroom.step*")]),
        SHOP, (*RUNNER[:2], replace(STEP, parent_id=sid(1)), WEB),
    ),
    "an edge not from one that looks like the runner": (
        graph(edges=[("cleanroom.step*", "web.post")]),
        SHOP, (span(3, "cleanroom.step:place"), WEB),
    ),
    "an edge within one trace": (
        graph(edges=[("web.post", "api.checkout")]),
        SHOP, (WEB, replace(API, trace_id=OTHER)),
    ),
    "an edge of equal names": (graph(edges=[("api.*", "api.*")]), SHOP, (WEB, API, DB)),
    "an edge not from itself": (graph(edges=[("selfish", "selfish")]), (SELF, span(34, "selfish", parent=33)), (SELF,)),
    "an edge from a doubled id": (
        graph(edges=[("web.post", "api.checkout")]),
        (WEB, replace(WEB, name="web.get"), API), (replace(WEB, name="web.get"), API),
    ),
    "an edge between spans of one id": (
        graph(edges=[("a", "b")]),
        (span(1, "a"), span(1, "b", parent=1)), (span(1, "b", parent=1), span(2, "a")),
    ),
    "an edge not from a forged span": (graph(edges=[("forged", "web.post")]), (FORGED, WEB), (*RUNNER, FORGED, WEB)),
    "an edge not from zeros": (
        graph(edges=[("zero", "z")]),
        (span(5, "zero"), span(6, "z", parent=5)),
        (replace(ALONE, span_id="0" * 16, name="zero", trace_id=TRACE), span(6, "z", parent="0" * 16)),
    ),
    "a missing parent is no edge": (graph(edges=[("*", "late")]), (span(99, "x"), ORPHAN), (WEB, ORPHAN)),
    "every one of several edges": (
        graph(edges=[("web.post", "api.checkout"), ("api.price", "db.insert")]),
        SHOP, (*RUNNER, WEB, API, DB),
    ),
    "no edge": (graph(no_edges=[("web.post", "db.insert")]), SHOP, (*RUNNER, WEB, replace(DB, parent_id=sid(10)))),
    "no edge by glob": (graph(no_edges=[("web.*", "db.*")]), SHOP, (WEB, replace(DB, parent_id=sid(10)))),
    "no edge though a path": (
        graph(no_edges=[("api.checkout", "db.insert")]),
        SHOP, (API, replace(DB, parent_id=sid(11))),
    ),
    "no edge of what never came": (graph(no_edges=[("web.post", "admin")]), SHOP, (WEB, span(60, "admin", parent=10))),
    "no edge from the runner": (
        graph(no_edges=[("cleanroom.step*", "db.insert")]),
        SHOP, (*RUNNER, replace(DB, parent_id=sid(3))),
    ),
    "no edge from the runner, whoever is lost": (
        graph(no_edges=[("cleanroom.step*", "late")]),
        (*RUNNER, ORPHAN), (*RUNNER, replace(ORPHAN, parent_id=sid(3))),
    ),
    "no edge under one that is lost": (
        graph(no_edges=[("web.post", "late")]),
        (WEB, replace(ORPHAN, parent_id="")), (WEB, ORPHAN),
    ),
    "no edge to itself": (graph(no_edges=[("selfish", "selfish")]), (replace(SELF, parent_id=""),), (SELF,)),
    "no edge from a doubled id": (
        graph(no_edges=[("web.get", "api.checkout")]),
        (WEB, API), (WEB, replace(WEB, name="web.get"), API),
    ),
    "no edge, though one of many": (
        graph(no_edges=[("api", "db")]),
        tuple(span(n, "db", service="db") for n in (2, 3)), (span(1, "api"), span(2, "db"), span(3, "db", parent=1)),
    ),
    "a path": (graph(paths=[("web.post", "db.insert")]), SHOP, (*RUNNER, WEB, API, DB)),
    "a path of one edge": (graph(paths=[("web.post", "api.checkout")]), SHOP, (WEB, replace(API, parent_id=""))),
    "a path from the runner": (graph(paths=[("cleanroom.step*", "db.insert")]), SHOP, (WEB, API, PRICE, DB)),
    "a path through the runner": (graph(paths=[("cleanroom.iteration", "cleanroom.step*")]), SHOP, (*RUNNER[::2], WEB)),
    "a path has a direction": (
        graph(paths=[("api.checkout", "db.insert")]),
        SHOP, (replace(API, parent_id=sid(13)), replace(DB, parent_id="")),
    ),
    "a path of one name": (graph(paths=[("api.*", "api.*")]), SHOP, (WEB, API, DB)),
    "a path not from itself in a loop": (
        graph(paths=[("ring.a", "ring.a")]),
        (*LOOP, span(32, "ring.a", parent=31)), LOOP,
    ),
    "a path in a loop": (graph(paths=[("ring.a", "ring.b")]), LOOP, (LOOP[1],)),
    "a path out of a loop": (
        graph(paths=[("ring.*", "out")]),
        (*LOOP, span(35, "out", parent=30)), (*LOOP, span(35, "out")),
    ),
    "a path into a loop": (
        graph(paths=[("in", "ring.b")]),
        (span(8, "in"), *LOOP, span(30, "ring.x", parent=8)), (span(8, "in"), *LOOP),
    ),
    "a path not round a loop of one": (
        graph(paths=[("selfish", "selfish")]),
        (SELF, span(34, "selfish", parent=33)), (SELF,),
    ),
    "a path within one trace": (
        graph(paths=[("web.post", "db.insert")]),
        SHOP, (WEB, *(replace(s, trace_id=OTHER) for s in (API, PRICE, DB))),
    ),
    "no path": (
        graph(no_paths=[("web.post", "admin")]),
        SHOP, (WEB, span(60, "x", parent=10), span(61, "admin", parent=60)),
    ),
    "no path of one edge": (graph(no_paths=[("web.post", "admin")]), SHOP, (WEB, span(61, "admin", parent=10))),
    "no path the other way": (graph(no_paths=[("db.*", "web.*")]), SHOP, (*SHOP, QUEUE)),
    "no path under one that is lost": (
        graph(no_paths=[("web.post", "under")]),
        (WEB, span(21, "under")), (WEB, ORPHAN, span(21, "under", parent=20)),
    ),
    "no path round a loop": (graph(no_paths=[("ring.a", "ring.a")]), (WEB, span(30, "ring.a")), LOOP),
    "no path from the runner": (graph(no_paths=[("cleanroom.step*", "db.insert")]), (*RUNNER, DB, API, PRICE), SHOP),
    "an edge of services": (graph(service_edges=[("web", "api")]), SHOP, (*RUNNER, WEB, replace(API, parent_id=""))),
    "an edge of services is direct": (
        graph(service_edges=[("api", "db")]),
        SHOP, (*RUNNER, WEB, API, span(70, "x", parent=11, service="x"), span(71, "d", parent=70, service="db")),
    ),
    "an edge of services has a direction": (
        graph(service_edges=[("api", "db")]),
        SHOP, (span(1, "d", service="db"), span(2, "a", parent=1)),
    ),
    "an edge of services by glob": (
        graph(service_edges=[("*", "db")]),
        SHOP, (span(1, "d", service="db"), span(2, "d", parent=1, service="db")),
    ),
    "an edge within a service": (graph(service_edges=[("api", "api")]), SHOP, (WEB, API, DB)),
    "an edge of services is not the runner's": (graph(service_edges=[("*", "web")]), (*SHOP, QUEUE), (*RUNNER, WEB)),
    "an edge of services not by name of span": (
        graph(service_edges=[("web", "api")]),
        SHOP, (span(1, "web"), span(2, "api", parent=1)),
    ),
    "acyclic": (graph(acyclic=True), SHOP, (*SHOP, *LOOP)),
    "acyclic, of one": (graph(acyclic=True), (WEB,), (SELF,)),
    "acyclic, under it": (graph(acyclic=True), (WEB, API), (*LOOP, span(35, "out", parent=30))),
    "acyclic, by a doubled id": (
        graph(acyclic=True),
        (span(1, "a"), span(2, "b", parent=1)), (span(1, "a"), span(1, "b", parent=2), span(2, "c", parent=1)),
    ),
    "acyclic by spans, not by services": (graph(acyclic=True), SHOP, (*SHOP, QUEUE)),
    "acyclic over traces": (
        graph(acyclic=True),
        (*SHOP, ALONE),
        (WEB, API, span(80, "job", trace=OTHER), span(81, "web.hook", parent=80, trace=OTHER, service="web")),
    ),
    "acyclic, of three services": (
        graph(acyclic=True),
        SHOP, (*SHOP, span(51, "x", parent=13, service="x"), span(52, "again", parent=51, service="web")),
    ),
    "acyclic within a service": (
        graph(acyclic=True),
        (API, PRICE, span(15, "api.checkout", parent=12)), (API, PRICE, span(11, "more", parent=12)),
    ),
    "one root": (graph(single_root=True), SHOP, (*SHOP, replace(QUEUE, parent_id=""))),
    "one root in each trace": (graph(single_root=True), (*SHOP, ALONE), (*SHOP, ALONE, TWO)),
    "one root, not none": (graph(single_root=True), (*SHOP, ALONE), (*SHOP, replace(ALONE, parent_id=sid(98)))),
    "one root, not a loop": (graph(single_root=True), (WEB, replace(API, parent_id="")), LOOP),
    "one root, the runner's included": (graph(single_root=True), (*RUNNER, WEB), (*RUNNER, replace(WEB, parent_id=""))),
    "one root of one id": (graph(single_root=True), (ALONE,), (ALONE, replace(ALONE, name="cron.too"))),
    "one root, zeros are no parent": (
        graph(single_root=True),
        (replace(ALONE, parent_id="0" * 16),), (ALONE, replace(TWO, parent_id="0" * 16)),
    ),
    "no orphans": (graph(no_orphans=True), SHOP, (*SHOP, ORPHAN)),
    "no orphans, of another trace": (graph(no_orphans=True), SHOP, (*SHOP, replace(QUEUE, trace_id=OTHER))),
    "no orphans, of the runner": (graph(no_orphans=True), SHOP, (*RUNNER[1:], WEB)),
    "no orphans, a loop is none": (graph(no_orphans=True), LOOP, (*LOOP, ORPHAN)),
    "no orphans of zeros": (
        graph(no_orphans=True),
        (span(1, "z", parent="0" * 16),), (replace(ALONE, span_id="0" * 16), span(1, "z", parent="00000000000000ff")),
    ),
    "connected": (graph(connected=True), SHOP, (*SHOP, ORPHAN)),
    "connected in each trace": (graph(connected=True), (*SHOP, ALONE), (*SHOP, ALONE, TWO)),
    "connected, not by a loop": (graph(connected=True), SHOP, (*SHOP, *LOOP)),
    "connected, not only a loop": (graph(connected=True), (ALONE,), LOOP),
    "connected, not by one that is lost": (
        graph(connected=True),
        (span(9, "p"), span(1, "a", parent=9), span(2, "b", parent=9)),
        (span(1, "a", parent=9), span(2, "b", parent=9)),
    ),
    "connected, with what is below": (graph(connected=True), SHOP, tuple(s for s in SHOP if s is not API)),
    "depth": (graph(max_depth=4), SHOP, (*SHOP, QUEUE)),
    "depth at its bound": (graph(max_depth=1), (*RUNNER, WEB), (*RUNNER, WEB, API)),
    "depth without the runner's": (graph(max_depth=2), (*RUNNER, WEB, API), (WEB, API, PRICE)),
    "depth of the deepest": (graph(max_depth=3), (ALONE, TOP, API, PRICE), (ALONE, TOP, API, PRICE, DB)),
    "depth of a loop": (graph(max_depth=9), (TOP, API), (TOP, API, *LOOP)),
    "depth under one that is lost": (graph(max_depth=9), (TOP, API), (TOP, API, ORPHAN)),
    "depth by the longer of a doubled id": (
        graph(max_depth=2),
        (span(1, "a"), span(2, "b", parent=1)),
        (span(1, "a"), span(2, "b", parent=1), span(3, "c", parent=2), span(2, "d")),
    ),
    "closed": (graph(closed=True, service_edges=[("web", "api"), ("api", "db")]), SHOP, (*SHOP, QUEUE)),
    "closed by globs": (
        graph(closed=True, service_edges=[("web", "*"), ("*", "db")]),
        SHOP, (*SHOP, span(51, "x", parent=13, service="x")),
    ),
    "closed with nothing declared": (graph(closed=True), (*RUNNER, WEB), (*RUNNER, WEB, API)),
    "closed has no edges within a service": (
        graph(closed=True, service_edges=[("web", "api")]),
        (TOP, API, PRICE), (TOP, API, PRICE, DB),
    ),
    "closed has no edges of the runner": (graph(closed=True), (*RUNNER, WEB), (WEB, API)),
    "closed of spans": (graph(closed=True, edges=[("web.post", "api.checkout"), ("api.*", "*")]), SHOP, (*SHOP, QUEUE)),
    "closed of spans within a service": (
        graph(closed=True, edges=[("web.post", "api.checkout")]),
        (TOP, API), (TOP, API, PRICE),
    ),
    "closed of spans and services": (
        graph(closed=True, edges=[("*", "*")], service_edges=[("web", "api")]),
        (TOP, API, PRICE), (TOP, API, PRICE, DB),
    ),
    "closed of spans in pairs": (
        graph(closed=True, edges=[("web.post", "api.checkout"), ("api.checkout", "api.price")]),
        (TOP, API, PRICE), (TOP, API, PRICE, span(14, "api.price", parent=10)),
    ),
    "closed to one that is lost": (graph(closed=True), (TOP,), (TOP, ORPHAN)),
    "closed to one without a name of service": (
        graph(closed=True, service_edges=[("web", "api")]),
        (TOP, API), (TOP, API, span(14, "x", parent=10, service="")),
    ),
    "closed, though it is a warning": (
        graph(closed=True, service_edges=[pair("web", "api", level="warning"), pair("api", "db")]),
        SHOP, (*SHOP, QUEUE),
    ),
}  # fmt: skip
