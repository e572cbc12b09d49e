"""Rules about expectations that could hardly break."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.spec.document import Items, Node, Scalar, Table
from cleanroom.spec.lint.rule import Remark
from cleanroom.spec.lint.subject import Subject, child, entries, tables, value, walk, word, zero

_PLAIN = frozenset({"id", "description", "level", "name", "service", "kind", "count"})
_EVERYTHING = ("*", "**", ".*", "^.*$", "^.*", ".*$", "")
_NEGATIVE_KEYS = frozenset({
    "no_edges", "no_paths", "acyclic", "single_root", "no_orphans", "closed", "none", "ne", "not_in", "not_contains",
    "forbid_attributes", "leaks", "error_type", "expect_failure", "concurrency", "invariants",
})  # fmt: skip
_COUNTS = ("counts", "by_name", "by_service", "by_kind")
_STATUSES = frozenset({"unset", "ok", "error"})
_SELECTORS = frozenset({"name", "service", "kind", "scope", "where", "during", "before", "after"})


def counts_only(subject: Subject) -> Iterator[Remark]:
    """Yield expectations that only count."""
    for expect in subject.expects():
        checks = [entry.key for entry in entries(expect.value) if entry.key != "outcome"]
        if checks == ["counts"] and not any(zero(entry.value) for entry in walk(expect.value)):
            at = expect.value.key_at("counts") if isinstance(expect.value, Table) else expect.at
            yield at, "this expect only counts spans: none of them has to be right"
    for span in subject.spans():
        if {entry.key for entry in span.entries} <= _PLAIN and not zero(span.get("count")):
            name = _name(span)
            yield span.at, f"the expectation of {name} only counts: spans that failed or took forever satisfy it"


def _name(span: Table) -> str:
    return word(span.get("name")) or word(child(span.get("name"), "regex")) or "spans"


def matches_everything(subject: Subject) -> Iterator[Remark]:
    """Yield expectations that select every span."""
    for span in subject.spans():
        name = span.get("name")
        selectors = {entry.key for entry in span.entries} & _SELECTORS
        pattern = word(name) if isinstance(name, Scalar) else word(child(name, "regex"))
        if name is not None and selectors == {"name"} and pattern in _EVERYTHING:
            yield name.at, "the pattern matches every span of every service"


def always_holds(subject: Subject) -> Iterator[Remark]:
    """Yield comparators that nothing breaks."""
    for expect in subject.expects():
        for entry in walk(expect.value):
            if entry.key == "count" and value(entry.value) == {"gte": 0} and not _conditions(expect.value, entry.value):
                yield entry.value.at, "any number is at least 0: this count cannot break"
            if entry.key in _COUNTS:
                for one in (entry, *entries(entry.value)):
                    if value(one.value) == {"gte": 0}:
                        yield one.value.at, "any number is at least 0: this count cannot break"
            allowed = value(child(entry.value, "in"))
            if isinstance(allowed, list) and {str(status) for status in allowed} >= _STATUSES:
                yield entry.value.at, "every status is one of these: this check cannot break"


def _conditions(expect: Node, count: Node) -> bool:
    """Whether the expectation that has this count judges more than the number of its spans."""
    for span in (table for entry in entries(expect) for table in tables(entry.value)):
        if span.get("count") is count:
            return not {entry.key for entry in span.entries} <= _PLAIN | _SELECTORS
    return False


def no_negative_check(subject: Subject) -> Iterator[Remark]:
    """Yield the spec when it does not say what must not happen."""
    expects = list(subject.expects())
    if expects and not any(_is_negative(expect.value) for expect in expects) and not _fails_on_purpose(subject):
        yield expects[0].at, "the spec says what must happen and nowhere what must not"


def _is_negative(expect: Node) -> bool:
    for entry in walk(expect):
        said = value(entry.value)
        if entry.key in _NEGATIVE_KEYS and said not in ([], False, None):
            return True
        if entry.key in ("count", "spans", "errors", "restarts", "max", "lost", "duplicated") and zero(entry.value):
            return True
        if (entry.key == "services" and said == "closed") or (entry.key == "egress" and said == "none"):
            return True
        if entry.key in ("by_name", "by_service", "by_kind") and any(zero(one.value) for one in entries(entry.value)):
            return True
        if entry.key == "oom_killed" and said is False:
            return True
    return False


def _fails_on_purpose(subject: Subject) -> bool:
    """Whether a scenario or a step has to fail."""
    for scenario in subject.scenarios():
        if value(scenario.get("expect_failure")):
            return True
        if any(child(child(step, "expect"), "error_type") is not None for step in tables(scenario.get("steps"))):
            return True
    return False


def warnings_only(subject: Subject) -> Iterator[Remark]:
    """Yield the spec when no expectation can fail it."""
    levels = [level for expect in subject.expects() for level in _levels(expect.value)]
    if levels and all(word(level) == "warning" for level in levels if level is not None) and None not in levels:
        first = min(level.at for level in levels if level is not None)
        yield first, "every expectation is a warning: nothing that the spans say can fail this spec"


def _levels(expect: Node) -> Iterator[Node | None]:
    """Yield the `level` of every check, None for one that has none."""
    for entry in entries(expect):
        if isinstance(entry.value, Items):
            yield from (child(item, "level") for item in entry.value.items)
        else:
            yield child(entry.value, "level")
