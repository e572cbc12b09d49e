"""Attributes and texts of one iteration with everything that names a place, an instance or an id taken out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import getitem, itemgetter
from typing import TypeAlias

from cleanroom.canonical import Json, canonical_text, in_order, quoted
from cleanroom.errors import SpecError
from cleanroom.trace.model import Attributes, AttributeValue, Span, SpanKind
from cleanroom.trace.rules import (
    CLIENT_PORTS,
    DROPPED,
    EPHEMERAL_ABOVE,
    MAYBE_CLIENT_PORTS,
    USER_AGENTS,
    NormaliseOptions,
    matches,
)

_HEX_ID = re.compile(r"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{16})(?![0-9a-fA-F])")
_LIKE_ID = re.compile(r"[0-9a-fA-F]{16}").search  # in half the time, and most texts have none
_AGENT_VERSION = re.compile(r"/v?\d[\w.+-]*")
_DROPPED = tuple(glob for globs in DROPPED.values() for glob in globs)


_REMEMBERED = 16384  # values of one attribute; more are no names but measurements, and come once


@dataclass(frozen=True, slots=True)
class _Part:
    """One attribute that stays: `"name":`, and what reads its texts."""

    quoted: str
    read: Callable[[str], str]
    port: bool
    """Whether the value decides that it goes: it may be a client's port."""

    def __getitem__(self, value: AttributeValue) -> str:
        """Return `"name":value` as canonical JSON, empty for what goes."""
        if type(value) is str:
            return "" if self.port and _is_ephemeral(value) else self.quoted + quoted(self.read(value))
        if type(value) is int:
            return "" if self.port and value > EPHEMERAL_ABOVE else f'{self.quoted}{{"int":"{value}"}}'
        return self.quoted + canonical_text(as_json(value, self.read))


class _Known(dict[AttributeValue, str]):
    """What the values of one type of one attribute came to; asked of the part when first met."""

    __slots__ = ("_part",)

    def __init__(self, part: _Part) -> None:
        super().__init__()
        self._part = part

    def __missing__(self, value: AttributeValue) -> str:
        found = self._part[value]
        if len(self) < _REMEMBERED:
            self[value] = found
        return found


_Signature: TypeAlias = tuple[object, ...]
"""The names of a span's attributes, and the types of their values."""

_Plan: TypeAlias = tuple[Callable[[tuple[AttributeValue, ...]], Iterable[AttributeValue]], list[_Known | _Part]]
"""What takes, of a span's attributes, the values of those that stay, in order of name; and what writes each."""


class Scrubber:
    """Applies the rules about values; one per iteration, because it remembers the texts it has seen."""

    def __init__(self, options: NormaliseOptions, spans: Sequence[Span]) -> None:
        """Read the ids of `spans`; raises `SpecError` for a broken pattern of `replace`."""
        self._options = options
        self._spans = spans
        self._places = tuple(place for place in options.roles if place)
        self._roles = _roles_pattern(options.roles)
        self._replace = tuple(_compiled(pattern, replacement) for pattern, replacement in options.replace)
        self._seen: dict[str, str] = {}
        self._fate: dict[str, tuple[bool, bool]] = {}
        self._parts: dict[tuple[str, SpanKind | None], _Part | None] = {}
        self._known: dict[tuple[str, SpanKind | None, type], _Known] = {}
        # By identity: the hash of an enumeration's member is slow.
        self._plans: dict[int, dict[_Signature, _Plan]] = {id(kind): {} for kind in SpanKind}

    def text(self, text: str) -> str:
        """Return `text` under the built-in rules and the spec's own."""
        found = self._seen.get(text)
        if found is None:
            found = self._whole(text)
            if len(self._seen) < _REMEMBERED:
                self._seen[text] = found
        return found

    def attributes(self, attributes: Attributes, kind: SpanKind) -> str:
        """Return what stays of `attributes` (of a span of this kind) as canonical JSON."""
        if not attributes:
            return "{}"
        plans = self._plans[id(kind)]
        names, values = tuple(attributes), tuple(attributes.values())
        # Types too: bool is an int to a dictionary's mind, and 1.0 is 1.
        signature = (names, *map(type, values))
        plan = plans.get(signature)
        if plan is None:
            plan = self._plan(names, values, kind)
            if len(plans) < _REMEMBERED:
                plans[signature] = plan
        staying, writers = plan
        return "{" + ",".join(filter(None, map(getitem, writers, staying(values)))) + "}"

    def _plan(self, names: tuple[str, ...], values: tuple[AttributeValue, ...], kind: SpanKind) -> _Plan:
        """Return what writes the attributes that stay of spans with these names and types of values."""
        side = kind if kind in CLIENT_PORTS else None
        places: list[int] = []
        writers: list[_Known | _Part] = []
        for name in in_order(names):
            if (name, side) not in self._parts:
                self._parts[name, side] = self._part(name, side)
            part = self._parts[name, side]
            if part is None:
                continue
            place = names.index(name)
            which = type(values[place])
            places.append(place)
            if which is str or which is int:
                writers.append(self._known.setdefault((name, side, which), _Known(part)))
            else:
                writers.append(part)
        if len(places) > 1:
            return itemgetter(*places), writers
        return lambda values: [values[place] for place in places], writers

    def _part(self, name: str, side: SpanKind | None) -> _Part | None:
        dropped, kept = self._fate_of(name)
        if dropped or (not kept and side is not None and name in CLIENT_PORTS[side]):
            return None
        whole = self._whole if self._replace else self._built_in
        read = self._own if kept else self._user_agent if name in USER_AGENTS else whole
        return _Part(f"{canonical_text(name)}:", read, port=not kept and name in MAYBE_CLIENT_PORTS)

    def _fate_of(self, name: str) -> tuple[bool, bool]:
        """Return (dropped, kept from the built-in rules) for an attribute's name."""
        fate = self._fate.get(name)
        if fate is None:
            kept = matches(name, self._options.keep)
            dropped = matches(name, self._options.drop) or (not kept and matches(name, _DROPPED))
            fate = self._fate[name] = (dropped, kept)
        return fate

    def _user_agent(self, text: str) -> str:
        return self._own(_AGENT_VERSION.sub("/<version>", self._built_in(text)))

    def _whole(self, text: str) -> str:
        return self._own(self._built_in(text))

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        """What stands for the ids of this iteration; few iterations have one in a text."""
        found = dict.fromkeys(self._options.excluded_traces, "<trace>")
        found.update({span.trace_id: "<trace>" for span in self._spans})
        found.update({span.span_id: "<span>" for span in self._spans})
        return found

    def _built_in(self, text: str) -> str:
        if _LIKE_ID(text):
            text = _HEX_ID.sub(lambda match: self._ids.get(match[0].lower(), match[0]), text)
        # The pattern costs microseconds a text, and most texts name no place.
        for place in self._places:
            if place in text and self._roles is not None:
                return self._roles.sub(self._role, text)
        return text

    def _role(self, match: re.Match[str]) -> str:
        role = self._options.roles[match["place"]]
        port = match["port"]
        if port is None:
            return role
        return f"{role}:<port>" if int(port[1:]) > EPHEMERAL_ABOVE else role + port

    def _own(self, text: str) -> str:
        for pattern, replacement in self._replace:
            text = pattern.sub(replacement, text)
        return text


def _roles_pattern(roles: Mapping[str, str]) -> re.Pattern[str] | None:
    """Return a pattern that finds whole addresses and names: 10.0.0.1 is not found in 10.0.0.10 or 110.0.0.1."""
    places = "|".join(re.escape(place) for place in sorted(roles, key=lambda text: (-len(text), text)) if place)
    if not places:
        return None
    return re.compile(
        rf"(?<![0-9A-Za-z_])(?<!\d\.)(?P<place>{places})(?![0-9A-Za-z_])(?!\.\d)(?P<port>:\d{{1,5}}(?!\d))?"
    )


def _compiled(pattern: str, replacement: str) -> tuple[re.Pattern[str], str]:
    try:
        compiled = re.compile(pattern)
        compiled.sub(replacement, "")
    except (re.error, IndexError) as err:
        raise SpecError(
            f"normalize.replace: {pattern!r} with {replacement!r} is no regular expression and its replacement: {err}",
            remedy="correct the pattern; `with` may refer to its groups as \\1",
        ) from err
    return compiled, replacement


def _is_ephemeral(value: AttributeValue) -> bool:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value
    return isinstance(number, int) and number > EPHEMERAL_ABOVE


def as_json(value: AttributeValue, read: Callable[[str], str]) -> Json:
    """Return `value` as JSON that keeps its type, its texts passed through `read`.

    Texts, truth values, null and finite floats stand for themselves; `{"int": "5"}`, `{"bytes": "00ff"}` (hex),
    `{"float": "NaN"}` and `{"map": {…}}` for what JSON would blur: 5 is not "5" and not 5.0.
    """
    result: Json
    if isinstance(value, str):
        result = read(value)
    elif value is None or isinstance(value, bool):
        result = value
    elif isinstance(value, int):
        result = {"int": str(value)}
    elif isinstance(value, float):
        result = value if math.isfinite(value) else {"float": str(value)}
    elif isinstance(value, bytes):
        result = {"bytes": value.hex()}
    elif isinstance(value, Mapping):
        result = {"map": {name: as_json(value[name], read) for name in sorted(value)}}
    else:
        result = [as_json(item, read) for item in value]
    return result
