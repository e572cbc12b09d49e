"""Attributes and texts of one iteration with everything that names a place, an instance or an id taken out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from cleanroom.canonical import Json
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
_SHORTEST_ID = 16
_AGENT_VERSION = re.compile(r"/v?\d[\w.+-]*")
_DROPPED = tuple(glob for globs in DROPPED.values() for glob in globs)


class Scrubber:
    """Applies the rules about values; one per iteration, because it remembers the texts it has seen."""

    def __init__(self, options: NormaliseOptions, spans: Iterable[Span]) -> None:
        """Read the ids of `spans`; raises `SpecError` for a broken pattern of `replace`."""
        self._options = options
        self._ids: dict[str, str] = dict.fromkeys(options.excluded_traces, "<trace>")
        for span in spans:
            self._ids[span.trace_id] = "<trace>"
            self._ids[span.span_id] = "<span>"
        self._roles = _roles_pattern(options.roles)
        self._replace = tuple(_compiled(pattern, replacement) for pattern, replacement in options.replace)
        self._seen: dict[str, str] = {}
        self._fate: dict[str, tuple[bool, bool]] = {}

    def text(self, text: str) -> str:
        """Return `text` under the built-in rules and the spec's own."""
        found = self._seen.get(text)
        if found is None:
            found = self._seen[text] = self._own(self._built_in(text))
        return found

    def attributes(self, attributes: Attributes, kind: SpanKind) -> dict[str, Json]:
        """Return what stays of `attributes` (of a span of this kind) as JSON, sorted by name."""
        result: dict[str, Json] = {}
        for name in sorted(attributes):
            dropped, kept = self._fate_of(name)
            value = attributes[name]
            if dropped or (not kept and _is_client_port(name, value, kind)):
                continue
            read = self._own if kept else self._user_agent if name in USER_AGENTS else self.text
            result[name] = as_json(value, read)
        return result

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

    def _built_in(self, text: str) -> str:
        if len(text) >= _SHORTEST_ID:
            text = _HEX_ID.sub(lambda match: self._ids.get(match[0].lower(), match[0]), text)
        if self._roles is not None:
            text = self._roles.sub(self._role, text)
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


def _is_client_port(name: str, value: AttributeValue, kind: SpanKind) -> bool:
    if name in CLIENT_PORTS.get(kind, ()):
        return True
    if name not in MAYBE_CLIENT_PORTS:
        return False
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
