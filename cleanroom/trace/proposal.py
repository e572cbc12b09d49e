"""Rules that would make runs equal, tried before they are offered: they work, and hide nothing that is looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, Protocol, TypeAlias

from cleanroom.trace.difference import Difference, differences
from cleanroom.trace.forest import NormalisedSpan
from cleanroom.trace.matching import flat_fields
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.rules import NormaliseOptions, matches
from cleanroom.trace.template import Template, template_of

_MAX_ROUNDS = 8  # each round sees all that differs under the rules so far, so two are common and three are rare
_MAX_DIFFERENCES = 2000
_MAX_RULES = 40  # more is no rule that anybody reads
_ATTRIBUTE = re.compile(r"(?:(?:events|links)\[\d+\]\.|scope\.)?(?:attributes|resource)\.(?P<name>.+)", re.DOTALL)
_EVENT = re.compile(r"events\[\d+\]\.name")
_LINK = re.compile(r"links\[\d+\]\.to")
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
# What the system did, not noise: leaving it out of the digest would hide a failure.
_NEVER_NOISE = ("*status_code*", "*.status", "error", "error.*", "exception.*", "*.method", "http.route", "service.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a spec would have to add to `determinism.normalize`."""

    drop: tuple[str, ...] = ()
    drop_spans: tuple[str, ...] = ()
    replace: tuple[tuple[str, str], ...] = ()
    siblings: Literal["", "unordered"] = ""

    @property
    def text(self) -> str:
        """The rules as entries of a YAML flow mapping, e.g. `drop: [order.id]`; empty for none."""
        parts = []
        if self.drop:
            parts.append(f"drop: [{', '.join(yaml_word(name) for name in self.drop)}]")
        if self.drop_spans:
            parts.append(f"drop_spans: [{', '.join(yaml_word(name) for name in self.drop_spans)}]")
        if self.replace:
            pairs = (f"{{pattern: {yaml_word(one)}, with: {yaml_word(other)}}}" for one, other in self.replace)
            parts.append(f"replace: [{', '.join(pairs)}]")
        if self.siblings:
            parts.append(f"siblings: {self.siblings}")
        return ", ".join(parts)

    def added_to(self, options: NormaliseOptions) -> NormaliseOptions:
        """Return the options of a spec that has these rules besides its own, which come first."""
        return replace(
            options,
            drop=(*options.drop, *(name for name in self.drop if name not in options.drop)),
            drop_spans=(*options.drop_spans, *(name for name in self.drop_spans if name not in options.drop_spans)),
            replace=(*options.replace, *self.replace),
            siblings=self.siblings or options.siblings,
        )

    def with_all(self, others: Collection[Rules]) -> Rules:
        """Return these rules and the others, each once, in one order."""
        every = (self, *others)
        return Rules(
            drop=tuple(sorted({name for rules in every for name in rules.drop})),
            drop_spans=tuple(sorted({name for rules in every for name in rules.drop_spans})),
            replace=tuple(dict.fromkeys(pair for rules in every for pair in rules.replace)),
            siblings="unordered" if any(rules.siblings for rules in every) else "",
        )


class Watch(Protocol):
    """What the expectations of a spec look at; each method returns the expectation in words, or the empty string."""

    def attribute(self, name: str) -> str:
        """Return what selects by the attribute or judges it."""

    def names(self, names: Collection[str]) -> str:
        """Return what selects some of the span names and not the others."""

    def spans(self, name: str) -> str:
        """Return what selects or counts spans of this name."""

    def events(self, names: Collection[str]) -> str:
        """Return what selects some of the event names and not the others."""

    def order(self, names: Collection[str]) -> str:
        """Return what judges the order of spans with these names."""


Again: TypeAlias = Callable[[int, Rules], NormalisedTrace]
"""Normalise the run at an index again, under the spec's rules and these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Rules that make all runs equal; None with the reason why none are offered."""

    rules: Rules | None = None
    obstacle: str = ""


def propose(runs: Sequence[NormalisedTrace], again: Again, watch: Watch | None = None) -> Proposal:
    """Return the rules under which all runs are equal, verified with `again`.

    Text that varies only in part is replaced where that does it, else attributes are dropped. Nothing is offered that
    takes away what the system did, or what an expectation looks at.
    """
    first = _attempt(runs, again, watch, whole=False)
    if first.rules is not None:
        return first
    second = _attempt(runs, again, watch, whole=True)
    return second if second.rules is not None else first


def _attempt(runs: Sequence[NormalisedTrace], again: Again, watch: Watch | None, *, whole: bool) -> Proposal:
    rules, current = Rules(), list(runs)
    sources: dict[tuple[str, str], str] = {}
    found = _grouped(current)
    for _ in range(_MAX_ROUNDS):
        if not found:
            obstacle = _hidden(runs, rules, watch)
            return Proposal(obstacle=obstacle) if obstacle else Proposal(rules=rules)
        wanted: list[Rules] = []
        everywhere = _names_everywhere(current, found)
        for group in found:
            answer = (
                _rule(group, current[0].spans, watch, whole=whole)
                if group[0].left is not None and group[0].right is not None
                else _span_rule(group[0], everywhere, watch)
            )
            if isinstance(answer, str):
                return Proposal(obstacle=answer)
            wanted.append(answer)
        for group, answer in zip(found, wanted, strict=True):
            sources.update(dict.fromkeys(answer.replace, _literal(attribute_name(group[0].attribute))))
        more = rules.with_all(wanted)
        # An attribute that is dropped needs no replacement of some of its texts.
        more = replace(more, replace=tuple(pair for pair in more.replace if sources[pair] not in more.drop))
        if more == rules or len(more.drop) + len(more.drop_spans) + len(more.replace) > _MAX_RULES:
            break
        rules = more
        current = [again(index, rules) for index in range(len(runs))]
        found = _grouped(current)
    where = f": {_place(found[0][0])} stays different" if found else ""
    return Proposal(obstacle=f"no few rules make all runs equal{where}")


def _grouped(runs: Sequence[NormalisedTrace]) -> list[list[Difference]]:
    """Return the differences from the first run, those of one field of one span together."""
    groups: dict[tuple[object, ...], list[Difference]] = {}
    for number, run in enumerate(runs[1:]):
        for found in islice(differences(runs[0].spans, run.spans), _MAX_DIFFERENCES):
            key = (found.left, found.attribute) if found.attribute else (number, found.path)
            groups.setdefault(key, []).append(found)
    return list(groups.values())


def _rule(group: list[Difference], spans: Sequence[NormalisedSpan], watch: Watch | None, *, whole: bool) -> Rules | str:
    """Return the rule that takes one difference away, or why none should."""
    found = group[0]
    if found.classification == "order":
        judged = watch.order(found.values) if watch is not None else ""
        return f"{judged} judges the order of these spans" if judged else Rules(siblings="unordered")
    if found.left is not None and spans[found.left].of_runner:
        return f"{_place(found)} is what the runner itself saw, no noise"
    texts = list(dict.fromkeys(_texts(group))) if all(each.exact_are_texts for each in group) else []
    name = attribute_name(found.attribute)
    if name:
        return _attribute_rule(found, name, None if whole else template_of(texts), watch)
    return _text_rule(found, template_of(texts))


def _names_everywhere(runs: Sequence[NormalisedTrace], found: list[list[Difference]]) -> frozenset[str]:
    """Return the names of services' spans that every run has; empty where no span is one too many."""
    if all(group[0].left is not None and group[0].right is not None for group in found):
        return frozenset()
    return frozenset.intersection(*(frozenset(span.name for span in run.spans if not span.of_runner) for run in runs))


def _span_rule(found: Difference, everywhere: frozenset[str], watch: Watch | None) -> Rules | str:
    """Return the rule that leaves out a span that some runs have once more than others, as after a retry."""
    side = "missing" if found.classification == "missing span" else "extra"
    if found.of_runner:
        return f"{found.path} is {side}, and the runner made it: no noise"
    judged = watch.spans(found.name) if watch is not None else ""
    if judged:
        return f"{found.path} is {side}, and {judged} looks at it"
    if found.name not in everywhere:
        # What one run did and another did not at all is no repetition: that is for a person to decide.
        return f"{found.path} is {side}, and not in every iteration (`drop_spans: [{found.name}]` would leave it out)"
    return Rules(drop_spans=(_literal(found.name),))


def _attribute_rule(found: Difference, name: str, template: Template | None, watch: Watch | None) -> Rules | str:
    if matches(name, _NEVER_NOISE):
        return f"{_place(found)} is what the system did, no noise"
    judged = watch.attribute(name) if watch is not None else ""
    if judged:
        return f"{judged} looks at {name}, and a rule would hide its differences"
    if template is not None and template.words > 1 and template.gaps == 1:
        return Rules(replace=((template.pattern, template.replacement),))
    return Rules(drop=(_literal(name),))


def _text_rule(found: Difference, template: Template | None) -> Rules | str:
    if _LINK.fullmatch(found.attribute):
        return Rules()  # it follows the name of the span that it points to
    replaceable = found.attribute in ("name", "status_message", "scope.name") or _EVENT.fullmatch(found.attribute)
    if template is not None and replaceable:
        return Rules(replace=((template.pattern, template.replacement),))
    return f"{_place(found)} differs in more than numbers, ids and times"


def _texts(group: list[Difference]) -> Iterator[str]:
    for found in group:
        yield from (value for value in found.exact if isinstance(value, str))


def _hidden(runs: Sequence[NormalisedTrace], rules: Rules, watch: Watch | None) -> str:
    """Return what the replacements would change that is no noise, anywhere in the runs; drops are checked before."""
    patterns = [re.compile(pattern) for pattern, _ in rules.replace]
    if not patterns:
        return ""
    seen: dict[str, set[str]] = {}
    for run in runs:
        for span in run.spans:
            if not span.of_runner:
                for place, value in flat_fields(span).items():
                    if isinstance(value, str):
                        seen.setdefault(attribute_name(place) or _EVENT.sub("event", place), set()).add(value)
    for pattern, (text, _) in zip(patterns, rules.replace, strict=True):
        for place in sorted(seen):
            changed = {value for value in seen[place] if pattern.search(value)}
            judged = _looks(place, changed, watch) if changed else ""
            if judged:
                return f"{judged}, and a replacement of {text} would hide a difference there"
    return ""


def _looks(place: str, changed: set[str], watch: Watch | None) -> str:
    if place in ("name", "event"):
        judge = None if watch is None else watch.names if place == "name" else watch.events
        judged = judge(changed) if judge is not None else ""
        return f"{judged} tells these {place}s apart" if judged else ""
    if matches(place, _NEVER_NOISE):
        return f"{place} is what the system did"
    judged = watch.attribute(place) if watch is not None else ""
    return f"{judged} looks at {place}" if judged else ""


def attribute_name(field: str) -> str:
    """Return the attribute's name in a field such as `events[0].attributes.order.id`, or the empty string."""
    match = _ATTRIBUTE.fullmatch(field)
    return match["name"] if match else ""


def _place(found: Difference) -> str:
    return f"{found.path}, {found.attribute}," if found.attribute else found.path


def _literal(name: str) -> str:
    # A bracket or a star would be read as a glob, and the rule drops this name only.
    return re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", name)


def yaml_word(text: str) -> str:
    """Return a text as YAML needs it: it may hold characters that end a flow sequence."""
    return text if _PLAIN.fullmatch(text) and text not in _RESERVED else json.dumps(text, ensure_ascii=False)


_RESERVED = frozenset(
    word for bare in ("true", "false", "null", "yes", "no", "on", "off")
    for word in (bare, bare.capitalize(), bare.upper())
)  # fmt: skip
