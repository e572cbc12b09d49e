"""Explanations of single words of the language: keys, faults, comparators, codes of problems, rules."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cleanroom.spec.comparator import COMPARISONS
from cleanroom.spec.language.codes import CODES
from cleanroom.spec.language.example import example_of
from cleanroom.spec.language.prose import ERROR_TYPES
from cleanroom.spec.language.reading import problems_of
from cleanroom.spec.language.schema import DEFERRED
from cleanroom.spec.language.vocabulary import (
    COMPARATOR,
    FIGURE,
    Variants,
    Word,
    choices_of,
    matches,
    outline,
    parts_of,
    segments,
    variants_in,
    words,
)
from cleanroom.spec.problem import nearest, one_of
from cleanroom.text import clean

if TYPE_CHECKING:
    from cleanroom.spec.shapes.record import Key, Record

WIDTH = 100
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?:fault\s+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one thing of this name is: `title` names it with its path, `lines` say it."""

    title: str
    lines: tuple[str, ...]


def explain(name: str, root: Record, rules: Mapping[str, Mapping[str, str]]) -> tuple[Explanation, ...]:
    """Return what the language knows by this name or path, in reading order; nothing when it knows nothing so.

    `rules` are the registries of layers above: what a rule is called there ("a rule of lint") to names and texts.
    """
    wanted = segments(name)
    found = [*_records(wanted, root), *_keys(wanted, root)]
    *path, last = wanted or ("",)
    if last in COMPARISONS and (not path or any(_keys(tuple(path), root))):
        found.append(_comparator(last))
    if name in CODES:
        found.append(_code(name))
    if name in ERROR_TYPES:
        found.append(Explanation(title=f"{name}: a type of error", lines=(f"The step {ERROR_TYPES[name]}.",)))
    found += [
        Explanation(title=f"{name}: {kind}", lines=tuple(_wrapped(registry[name])))
        for kind, registry in rules.items()
        if name in registry
    ]
    if not found:
        found += _choices(name, root)
    return tuple(found)


def closest(name: str, root: Record, rules: Mapping[str, Mapping[str, str]]) -> str:
    """Return the known name that `name` most resembles, or the empty string."""
    known = {word.name for word in words(root)} | {word.path for word in words(root)} | set(COMPARISONS) | set(CODES)
    known |= ERROR_TYPES.keys()
    known |= {text for variants in variants_in(root) for text in variants.records}
    return nearest(name, known.union(*rules.values()))


def render_explanations(found: Iterable[Explanation]) -> str:
    """Return explanations as text that a terminal may print."""
    blocks = ["\n".join([one.title, *(f"  {line}".rstrip() for line in one.lines)]) for one in found]
    return clean("\n\n".join(blocks)) + "\n"


def _fits(known: tuple[str, ...], wanted: tuple[str, ...], top: Mapping[str, object]) -> bool:
    """Whether a path is meant by what was asked for: the whole of it, its end, or a longer one that ends in it.

    `ready` and `services.db.ready` mean `services.<name>.ready`; `scenarios[].expect.graph` means `expect.graph`,
    which stands for all of them.
    """
    if not known or not wanted:
        return False
    if len(wanted) <= len(known):
        # The last name is the word itself: a placeholder there would be whatever was asked for.
        return known[-1] == wanted[-1] and matches(known[-len(wanted) :], wanted)
    return len(known) > 1 and wanted[0] in top and matches(known, wanted[-len(known) :])


def _names_of(place: str) -> tuple[str, ...]:
    return segments(_ARTICLE.sub("", place))


def _records(wanted: tuple[str, ...], root: Record) -> Iterator[Explanation]:
    """Yield the records whose place is asked for, where no key has that path: faults, and `services.db`."""
    keyed = {(*_names_of(word.record.place), word.name) for word in words(root)}
    for record in outline(root):
        place = _names_of(record.place)
        if place in keyed or not place or len(wanted) < min(2, len(place)):
            continue
        if matches(place, wanted):
            yield Explanation(title=record.place, lines=tuple(_record(record)))


def _record(record: Record) -> Iterator[str]:
    yield from _wrapped(record.doc)
    if record.required:
        yield f"required: {', '.join(record.required)}"
    if record.exactly_one:
        yield f"exactly one of: {', '.join(record.exactly_one)}"
    if record.at_least_one:
        yield f"at least one of: {', '.join(record.at_least_one)}"
    for group in record.at_most_one:
        yield f"at most one of: {', '.join(group)}"
    yield from _table(record)


def _table(record: Record) -> Iterator[str]:
    for name, key in record.keys.items():
        default = f" (default {key.default})" if key.default else ""
        later = " (not carried out by run yet)" if key.later else ""
        text = f"{name}: {key.shape.words}{default}{later}. {key.doc}"
        yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="      ")


def _keys(wanted: tuple[str, ...], root: Record) -> Iterator[Explanation]:
    """Yield the keys that are asked for; the same key in several places is explained once, with all of its paths."""
    places: dict[Key, list[Word]] = {}
    for word in words(root):
        if word.name in COMPARISONS and word.record.place.startswith((COMPARATOR, FIGURE)):
            continue  # explained as comparators, once
        if _fits((*_names_of(word.record.place), word.name), wanted, root.keys):
            places.setdefault(word.key, []).append(word)
    for first, *others in places.values():
        also = _wrapped(f"also at:  {', '.join(word.path for word in others)}") if others else []
        yield Explanation(title=first.path, lines=(*_key(first), *also))


def _key(word: Word) -> Iterator[str]:
    key = word.key
    yield from _wrapped(key.doc)
    yield f"takes:    {key.shape.words}"
    if key.default:
        yield f"default:  {key.default}"
    yield f"example:  {word.name}: {example_of(key)}"
    if word.name in word.record.required:
        yield "required: yes"
    among = [word.record.exactly_one] if word.name in word.record.exactly_one else []
    among += [group for group in word.record.at_most_one if word.name in group]
    for group in among:
        yield f"one of:   {', '.join(group)}"
    problems = problems_of(word)
    if problems:
        yield f"problems: {', '.join(problems)}"
    if key.later:
        yield DEFERRED
    for part in parts_of(key.shape):
        if isinstance(part, Variants):
            yield f"{part.discriminator}: {one_of(part.records)}"
        elif part.place.startswith(COMPARATOR):
            yield f"comparators: {', '.join(part.keys)}"
        else:
            yield f"keys of {part.place}:"
            yield from _table(part)


def _choices(name: str, root: Record) -> Iterator[Explanation]:
    for word in words(root):
        if name in choices_of(word.key.shape):
            yield Explanation(title=f"{name}: a word of {word.path}", lines=tuple(_key(word)))


def _comparator(name: str) -> Explanation:
    row = COMPARISONS[name]
    lines = (f"Holds when the value {row.doc}.", f"operand:  {row.operand}")
    return Explanation(title=f"{name}: a comparator", lines=lines)


def _code(name: str) -> Explanation:
    row = CODES[name]
    lines = (f"{row.summary[0].upper()}{row.summary[1:]}.", *_wrapped(row.meaning), *_wrapped(row.remedy))
    return Explanation(title=f"{name}: a problem of a spec", lines=lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH) if text else []
