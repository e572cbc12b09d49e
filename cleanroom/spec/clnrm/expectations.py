"""The predecessor's `expect` as ours: what it declares is checked here, whether it was checked there or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from cleanroom.spec.clnrm.report import Findings

_OWN_SPANS = "clnrm"
_WHY_OWN = (
    "it speaks of the predecessor's own spans; the runner's spans are called cleanroom.* here (spec.md section 9)"
)
_KINDS = ("internal", "server", "client", "producer", "consumer")
_STATUS = {"OK": "ok", "ERROR": "error", "UNSET": "unset"}


def expectations(expect: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """Return `expect` as a spec writes it; what cannot be taken is noted in `findings`."""
    readers = {
        "span": _spans, "graph": _graph, "counts": _counts, "window": _windows, "order": _order, "status": _status,
        "hermeticity": _hermeticity,
    }  # fmt: skip
    made: dict[str, Any] = {}
    for key, value in expect.items():
        reader = readers.get(key)
        if reader is None:
            findings.ignored(f"expect.{key}", "there is nothing like it")
            continue
        if isinstance(value, (Mapping, list)):
            made.update({name: part for name, part in reader(value, findings).items() if part})
        else:
            findings.not_taken(f"expect.{key}", "it is neither a table nor a list of tables")
    return made


def comparator(value: Any) -> Any:  # noqa: ANN401 -- as TOML has it
    """Return a count as a comparator: a number, or those of eq, gte and lte that are there; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, Mapping) or not value or not set(value) <= {"eq", "gte", "lte"}:
        return None
    if not all(isinstance(bound, int) and not isinstance(bound, bool) and bound >= 0 for bound in value.values()):
        return None
    # There `eq` wins over the others, and they are not looked at.
    return value["eq"] if "eq" in value else dict(value)


def _is_own(*names: object) -> bool:
    return any(isinstance(name, str) and name.startswith(_OWN_SPANS) for name in names)


def _spans(value: Any, findings: Findings) -> dict[str, Any]:  # noqa: ANN401 -- as TOML has it
    spans = []
    for number, span in enumerate(value if isinstance(value, list) else [value]):
        here = f"expect.span[{number}]"
        name = span.get("name") if isinstance(span, Mapping) else None
        if not isinstance(name, str) or not name:
            findings.not_taken(here, "it has no name")
        elif _is_own(name, span.get("parent")):
            findings.not_taken(f"{here} ({name})", _WHY_OWN)
        else:
            findings.never(f"{here} ({name})", "run looked at no expectation about a single span")
            spans.append(_span(span, here, findings))
    return {"spans": spans}


def _span(span: Mapping[str, Any], here: str, findings: Findings) -> dict[str, Any]:
    made: dict[str, Any] = {"name": span["name"]}
    for key, value in span.items():
        if key == "parent" and isinstance(value, str) and value:
            made["parent"] = value
        elif key == "kind" and str(value).lower() in _KINDS:
            made["kind"] = str(value).lower()
        elif key == "attrs" and isinstance(value, Mapping):
            made.update(_attributes(value, f"{here}.attrs", findings))
        elif key == "events" and isinstance(value, Mapping):
            lists = {k: v for k, v in value.items() if k in ("any", "all") and _are_texts(v)}
            _rest(value, lists, f"{here}.events", findings)
            made.update({"events": lists} if lists else {})
        elif key == "duration_ms" and isinstance(value, Mapping):
            made.update(_duration(value, f"{here}.duration_ms", findings))
        elif key != "name":
            findings.not_taken(f"{here}.{key}", "there is nothing like it, or its value is of another kind")
    return made


def _attributes(value: Mapping[str, Any], here: str, findings: Findings) -> dict[str, Any]:
    taken: dict[str, Any] = {}
    for key in ("all", "any"):
        pairs = value.get(key)
        if isinstance(pairs, Mapping) and pairs and all(isinstance(v, (str, int, float, bool)) for v in pairs.values()):
            taken[key] = dict(pairs)
        elif key == "any" and _are_texts(pairs) and all("=" in pair for pair in pairs):
            # The form of its documents, which its own parser refuses.
            taken[key] = dict(pair.split("=", 1) for pair in pairs)
    _rest(value, taken, here, findings)
    return {"attributes": taken} if taken else {}


def _duration(value: Mapping[str, Any], here: str, findings: Findings) -> dict[str, Any]:
    names = {"min": "gte", "max": "lte"}
    numbers = {
        key: bound
        for key, bound in value.items()
        if key in names and isinstance(bound, (int, float)) and not isinstance(bound, bool) and bound >= 0
    }
    _rest(value, numbers, here, findings)
    return (
        {"duration": {names[key]: f"{bound:f}".rstrip("0").rstrip(".") + "ms" for key, bound in numbers.items()}}
        if numbers
        else {}
    )


def _graph(value: Any, findings: Findings) -> dict[str, Any]:  # noqa: ANN401 -- as TOML has it
    if not isinstance(value, Mapping):
        findings.not_taken("expect.graph", "it is a list, and its own parser refuses that")
        return {}
    made: dict[str, Any] = {}
    for key, ours in (("must_include", "edges"), ("must_not_cross", "no_edges")):
        pairs = _pairs(value.get(key, []), f"expect.graph.{key}", findings)
        if pairs:
            made[ours] = pairs
            if key == "must_not_cross":
                findings.never("expect.graph.must_not_cross", "run looked at must_include only")
    if value.get("acyclic") is True:
        made["acyclic"] = True
        findings.never("expect.graph.acyclic", "run looked at must_include only, and a tree cannot break it")
    settled = {"acyclic"} if isinstance(value.get("acyclic"), bool) else set()
    _rest(value, {"must_include", "must_not_cross", *settled}, "expect.graph", findings)
    return {"graph": made}


def _pairs(value: Any, here: str, findings: Findings) -> list[list[str]]:  # noqa: ANN401 -- as TOML has it
    pairs = []
    for number, pair in enumerate(value if isinstance(value, list) else [value]):
        if not _are_texts(pair) or len(pair) != 2:  # noqa: PLR2004 -- a pair
            findings.not_taken(f"{here}[{number}]", "it is no pair of names")
        elif _is_own(*pair):
            findings.not_taken(f"{here}[{number}] ({' -> '.join(pair)})", _WHY_OWN)
        else:
            pairs.append(list(pair))
    return pairs


def _counts(value: Any, findings: Findings) -> dict[str, Any]:  # noqa: ANN401 -- as TOML has it
    if not isinstance(value, Mapping):
        findings.not_taken("expect.counts", "it is no table")
        return {}
    made: dict[str, Any] = {}
    for key, ours in (("spans_total", "spans"), ("events_total", "events"), ("errors_total", "errors")):
        if key in value:
            bound = comparator(value[key])
            if bound is None:
                findings.not_taken(f"expect.counts.{key}", "it is no number, and not eq, gte or lte with one")
                continue
            made[ours] = bound
            if key != "spans_total":
                findings.never(f"expect.counts.{key}", "run counted spans only")
    by_name = value.get("by_name", {})
    named: dict[str, Any] = {}
    for name, count in by_name.items() if isinstance(by_name, Mapping) else ():
        bound = comparator(count)
        if _is_own(name) or bound is None:
            findings.not_taken(f"expect.counts.by_name.{name}", _WHY_OWN if _is_own(name) else "it is no count")
        else:
            named[name] = bound
    if named:
        made["by_name"] = named
    settled = {"by_name"} if isinstance(by_name, Mapping) else set()
    _rest(value, {"spans_total", "events_total", "errors_total", *settled}, "expect.counts", findings)
    return {"counts": made}


def _windows(value: Any, findings: Findings) -> dict[str, Any]:  # noqa: ANN401 -- as TOML has it
    windows = []
    for number, window in enumerate(value if isinstance(value, list) else [value]):
        here = f"expect.window[{number}]"
        outer = window.get("outer") if isinstance(window, Mapping) else None
        inner = window.get("contains") if isinstance(window, Mapping) else None
        if not isinstance(outer, str) or not outer or not _are_texts(inner):
            findings.not_taken(here, "it does not name an outer span and what it contains")
        elif _is_own(outer, *inner):
            findings.not_taken(f"{here} ({outer})", _WHY_OWN)
        else:
            windows.append({"outer": outer, "contains": list(inner)})
            _rest(window, {"outer", "contains"}, here, findings)
    return {"windows": windows}


def _order(value: Any, findings: Findings) -> dict[str, Any]:  # noqa: ANN401 -- as TOML has it
    if not isinstance(value, Mapping):
        findings.not_taken("expect.order", "it is no table")
        return {}
    order = []
    for key in ("must_precede", "must_follow"):
        for first, second in _pairs(value.get(key, []), f"expect.order.{key}", findings):
            pair = (first, second) if key == "must_precede" else (second, first)
            order.append({"first": pair[0], "then": pair[1], "by": "end_start"})
            findings.never(f"expect.order.{key} ({first}, {second})", "run did not look at the order of spans")
    _rest(value, {"must_precede", "must_follow"}, "expect.order", findings)
    return {"order": order}


def _status(value: Any, findings: Findings) -> dict[str, Any]:  # noqa: ANN401 -- as TOML has it
    if not isinstance(value, Mapping):
        findings.not_taken("expect.status", "it is no table")
        return {}
    made: dict[str, Any] = {}
    named: dict[str, Any] = {}
    both = [("all", value.get("all"))] if "all" in value else []
    by_name = value.get("by_name", {})
    both += list(by_name.items()) if isinstance(by_name, Mapping) else []
    for number, (name, wanted) in enumerate(both):
        here = "expect.status.all" if number == 0 and "all" in value else f"expect.status.by_name.{name}"
        status = _STATUS.get(str(wanted).upper())
        if status is None or _is_own(name):
            findings.not_taken(here, _WHY_OWN if _is_own(name) else "it is not OK, ERROR or UNSET")
            continue
        findings.never(here, "run did not look at the status of spans, and read it from an attribute elsewhere")
        if here == "expect.status.all":
            made["all"] = status
        else:
            named[name] = status
    if named:
        made["by_name"] = named
    _rest(value, {"all", "by_name"} if isinstance(by_name, Mapping) else {"all"}, "expect.status", findings)
    return {"status": made}


def _hermeticity(value: Any, findings: Findings) -> dict[str, Any]:  # noqa: ANN401 -- as TOML has it
    if not isinstance(value, Mapping):
        findings.not_taken("expect.hermeticity", "it is no table")
        return {}
    made: dict[str, Any] = {}
    if value.get("no_external_services") is True:
        made |= {"egress": "none", "leaks": "none"}
        findings.changed(
            "expect.hermeticity.no_external_services", "there it forbade attributes; here the network itself proves it"
        )
    resource = value.get("resource_attrs")
    wanted = resource.get("must_match") if isinstance(resource, Mapping) else None
    if isinstance(wanted, Mapping) and wanted:
        made["resource"] = {key: str(item) for key, item in wanted.items()}
        findings.never("expect.hermeticity.resource_attrs", "run never read resource attributes, so it always failed")
    attributes = value.get("span_attrs")
    forbidden = attributes.get("forbid_keys") if isinstance(attributes, Mapping) else None
    if _are_texts(forbidden):
        made["forbid_attributes"] = list(forbidden)
    settled = {"no_external_services"} if isinstance(value.get("no_external_services"), bool) else set()
    settled |= {"resource_attrs"} if "resource" in made else set()
    settled |= {"span_attrs"} if "forbid_attributes" in made else set()
    _rest(value, settled, "expect.hermeticity", findings)
    return {"hermeticity": made}


def _are_texts(value: Any) -> TypeGuard[list[str]]:  # noqa: ANN401 -- as TOML has it
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


def _rest(value: Mapping[str, Any], taken: Mapping[str, Any] | set[str], here: str, findings: Findings) -> None:
    """Note the keys that were not taken."""
    for key in value:
        if key not in taken:
            findings.ignored(f"{here}.{key}", "there is nothing like it, or its value is of another kind")
