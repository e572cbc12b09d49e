"""Records: mappings with known keys, each with a shape, its documentation and what else may stand beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from os.path import commonprefix
from types import MappingProxyType
from typing import Any, TypeVar

from cleanroom.spec.document import Items, Node, Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import ProblemLog, nearest, one_of
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.shapes.shape import Fragment, Shape

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record: what it takes, what it promises, and all that the documentation says of it."""

    shape: Shape[Any]
    doc: str
    """One or two sentences in the present tense, Markdown."""
    default: str = ""
    """The default as YAML; empty when leaving the key out means nothing else than its absence."""
    example: str = ""
    """A value as YAML; empty: that of the shape."""
    later: bool = False
    """Read, typed and checked like any other; `run` refuses it by name, because nothing carries it out yet."""
    errors: tuple[str, ...] = ()
    """Codes of problems besides those of the shape, e.g. from cross-references."""
    names: frozenset[str] = frozenset()
    """Run-time names that templates inside may use."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What a record read: the values of the keys that fit, the names of all that were written, and its node."""

    values: dict[str, Any]
    written: frozenset[str]
    node: Table

    def take(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 -- a record's values have their shape's types
        """Remove a value and return it."""
        return self.values.pop(name, default)

    def only(self, names: frozenset[str] | tuple[str, ...]) -> tuple[str, Any]:
        """Return the one key of `names` that was written, and its value; raises RefusedError when it did not fit."""
        found = next(name for name in self.written if name in names)
        if found not in self.values:
            raise RefusedError
        return found, self.values[found]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Record:
    """A mapping with known keys, and how they may stand together."""

    place: str
    """The path of such a record, e.g. `services.<name>`; unique, it names the record in documentation and schema."""
    doc: str = ""
    """What such a record is: one or two sentences, Markdown."""
    keys: Mapping[str, Key]
    required: tuple[str, ...] = ()
    exactly_one: tuple[str, ...] = ()
    """Exactly one of these keys must be written (code `one-of`)."""
    at_least_one: tuple[str, ...] = ()
    """At least one of these keys must be written (code `missing-key`)."""
    at_most_one: tuple[tuple[str, ...], ...] = ()
    """Of each group at most one may be written (code `one-of`)."""
    needs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Key to the key that it needs beside it (code `missing-key`)."""
    not_empty: bool = False
    """At least one key must be written (code `empty-expect`)."""
    names: frozenset[str] = frozenset()
    """Run-time names that templates in all of its values may use."""
    names_with: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Run-time names that templates may use when this key is written."""
    advice: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What to do about a key that is often written here by mistake; `*` stands for any other."""

    def __call__(self, node: Node, place: Place) -> Fields:
        """Read `node`; raises RefusedError when it is no mapping or its keys do not stand together."""
        if not isinstance(node, Table):
            keys = "key" if len(self.keys) == 1 else "keys"
            raise place.wrong(node, f"a mapping with the {keys} {one_of(sorted(self.keys))}")
        written = frozenset(entry.key for entry in node.entries)
        place = place.knowing(self.names.union(*(self.names_with[key] for key in self.names_with if key in written)))
        values: dict[str, Any] = {}
        for entry in node.entries:
            key = self.keys.get(entry.key)
            if key is None:
                self._refuse_key(entry.key, node, place)
                continue
            if key.later:
                place.later(entry.at, shown(entry.key))
            try:
                values[entry.key] = key.shape(entry.value, place.key(entry.key).knowing(key.names))
            except RefusedError:
                continue
        self._check_together(node, written, place)
        if any(name not in values for name in self.required):
            raise RefusedError
        return Fields(values, written, node)

    def into(self, make: Callable[[Fields], T]) -> Shape[T]:
        """Return the shape that reads this record and makes a value of it."""
        return Shape(lambda node, place: make(self(node, place)), "a mapping", self)

    def making(self, make: Callable[..., T]) -> Shape[T]:
        """Return the shape that reads this record and passes its values to `make` by their keys."""
        return Shape(lambda node, place: make(**self(node, place).values), "a mapping", self)

    def _check_present(self, node: Table, written: frozenset[str], where: str, log: ProblemLog) -> bool:
        """Report keys that are missing; returns whether there is nothing to make a value of."""
        for name in self.required:
            if name not in written:
                message = f"{where} needs the key {shown(name)}"
                log.report("missing-key", node.at, message, expected=f"a key {name}")
        for name, needed in self.needs.items():
            if name in written and needed not in written:
                message = f"{where}.{name} needs the key {shown(needed)} beside it"
                log.report("missing-key", node.key_at(name), message, expected=f"a key {needed}")
        if not self.at_least_one or written.intersection(self.at_least_one):
            return False
        names = one_of(self.at_least_one)
        log.report("missing-key", node.at, f"{where} needs at least one of {names}", expected=f"a key {names}")
        return True

    def _check_together(self, node: Table, written: frozenset[str], place: Place) -> None:
        where = place.path or "the file"
        refused = self._check_present(node, written, where, place.log)
        for group in self.at_most_one:
            among = [entry for entry in node.entries if entry.key in group]
            if len(among) > 1:
                message = f"{where} has {' and '.join(sorted(entry.key for entry in among))}"
                place.log.report("one-of", among[1].at, message, expected=f"at most one of {one_of(group)}")
                refused = True
        among = [entry for entry in node.entries if entry.key in self.exactly_one]
        if self.exactly_one and len(among) != 1:
            got = " and ".join(entry.key for entry in among) or "none of them"
            message = f"{where} takes exactly one of {one_of(self.exactly_one)}"
            at = among[1].at if among else node.at
            place.log.report("one-of", at, message, expected=f"one of {', '.join(self.exactly_one)}", got=got)
            refused = True
        if self.not_empty and not any(_says_something(entry.value) for entry in node.entries):
            expected = f"at least one of {one_of(sorted(self.keys))}"
            place.log.report("empty-expect", node.at, f"{where} takes at least one check", expected=expected)
            refused = True
        if refused:
            raise RefusedError

    def _refuse_key(self, name: str, node: Table, place: Place) -> None:
        at = node.key_at(name)
        where = f" in {place.path}" if place.path else ""
        expected = one_of(sorted(self.keys))
        homes = [path for path in place.belongs.get(name, ()) if path != self.place]
        # What is near is meant.
        homes.sort(key=lambda path: -len(commonprefix((path, self.place))))  # noqa: RUF071 -- names, no files
        elsewhere = [path or "the top level" for path in homes]
        close = nearest(name, self.keys)
        advice = self.advice.get(name) or ("" if close else self.advice.get("*", ""))
        if advice:
            place.log.report("unknown-key", at, f"there is no key {shown(name)}{where}", suggestion=advice)
        elif elsewhere:
            home = one_of(elsewhere[:3])
            suggestion = f"did you mean {close}? {name} belongs in {home}" if close else f"it belongs in {home}"
            message = f"the key {shown(name)} does not belong in {place.path or 'the top level'}"
            place.log.report("misplaced-key", at, message, expected=expected, suggestion=suggestion)
        else:
            suggestion = f"did you mean {close}?" if close else ""
            message = f"there is no key {shown(name)}{where}"
            place.log.report("unknown-key", at, message, expected=expected, suggestion=suggestion)


def variants(discriminator: str, records: Mapping[str, Record], read: Callable[[Node, Place], T]) -> Shape[T]:
    """Return the shape of mappings whose keys depend on the text under one of them; `read` chooses and reads."""
    return Shape(read, "a mapping", {"discriminator": discriminator, "variants": records})


def records_in(shape: Fragment | Shape[Any]) -> Iterator[Record]:
    """Yield every record that the shape, or a part of it, reads: each once, outermost first."""
    pending: list[Any] = [shape]
    seen: set[int] = set()
    while pending:
        part = pending.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Record):
            yield part
            pending += [key.shape for key in part.keys.values()]
        elif isinstance(part, Shape):
            pending.append(part.schema)
        elif isinstance(part, Mapping):
            pending += list(part.values())
        elif isinstance(part, (list, tuple)):
            pending += list(part)
        elif callable(part):
            pending.append(part())


def _says_something(node: Node) -> bool:
    """Whether a value is more than an empty list or mapping."""
    if isinstance(node, Scalar):
        return True
    return bool(node.items if isinstance(node, Items) else node.entries)
