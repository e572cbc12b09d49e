"""Which services of a Compose project are meant, each with what it extends (Compose specification, `extends`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cleanroom.spec.compose.files import Places, read_compose
from cleanroom.spec.compose.nodes import entry, mapping, scalar, sequence
from cleanroom.spec.compose.spot import Ledger, Spot
from cleanroom.spec.document import Entry, Items, Node, Scalar, Table, UnreadableError
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.shapes.place import RefusedError

_PAIRS = ("environment", "labels", "args", "annotations", "sysctls")
_REPLACED = ("command", "entrypoint", "test")
STARTED = "service_started"


@dataclass(frozen=True, slots=True)
class Project:
    """A Compose file and those that its services extend."""

    document: Table
    path: Path
    places: Places
    ledger: Ledger
    _read: dict[Path, Table] = field(default_factory=dict)

    def chosen(
        self, names: Sequence[str], profiles: Sequence[str], known: frozenset[str]
    ) -> dict[str, tuple[Table, Spot]]:
        """Return the wanted services by name, merged with what they extend and with variables replaced.

        Without `names`: those that belong to no profile, or to one of `profiles` (`*`: to any). With them: those, and
        what they wait for unless it is `known` elsewhere. Services that are broken
        are reported and left out.
        """
        top = Spot("services", self.ledger)
        node = self.document.get("services")
        if node is None:
            top.problem("missing-key", self.document.at, "a Compose file has services", expected="a key services")
            return {}
        try:
            written = top.table(node)
        except RefusedError:
            return {}
        found: dict[str, tuple[Table, Spot]] = {}
        pending = [one.key for one in written.entries if not names or one.key in names]
        seen: set[str] = set()
        while pending:
            name = pending.pop(0)
            value = written.get(name)
            if name in seen or value is None:
                continue
            seen.add(name)
            spot = top.key(name)
            try:
                filled = spot.table(spot.filled(self._extended(value, spot, self.path, ())))
                if names or self._is_active(filled, spot, profiles):
                    found[name] = (filled, spot)
                if names:
                    pending += [one for one in waits_for(filled, spot) if one not in known]
            except RefusedError:
                continue
        return {one.key: found[one.key] for one in written.entries if one.key in found}

    def _is_active(self, service: Table, spot: Spot, profiles: Sequence[str]) -> bool:
        node = service.get("profiles")
        own = [text for text, _ in spot.key("profiles").texts(node)] if node else []
        return not own or "*" in profiles or any(profile in profiles for profile in own)

    def _extended(self, node: Node, spot: Spot, path: Path, stack: tuple[tuple[Path, str], ...]) -> Table:
        service = spot.table(node)
        stack = (*stack, (path.resolve(), spot.path.removeprefix("services.")))
        extends = service.get("extends")
        own = mapping((e for e in service.entries if e.key != "extends"), service.at)
        if extends is None:
            return own
        at = service.key_at("extends")
        base_path, name = self._base(extends, spot.key("extends"), path)
        if (base_path.resolve(), name) in stack:
            circle = " -> ".join(name for _, name in (*stack, (base_path, name)))
            raise spot.problem("dependency-cycle", at, f"the services extend each other: {circle}")
        document = self.document if base_path.resolve() == self.path.resolve() else self._other(base_path)
        services = Spot("services", self.ledger).table(document.get("services") or mapping((), document.at))
        base = services.get(name)
        if base is None:
            close = nearest(name, (e.key for e in services.entries))
            message = f"there is no service {shown(name)} in {self.places.name(base_path)} to extend"
            raise spot.problem("unknown-service", at, message, suggestion=f"did you mean {close}?" if close else "")
        inherited = self._extended(base, Spot(f"services.{name}", self.ledger), base_path, stack)
        return overlay(inherited, own, spot)

    def _base(self, node: Node, spot: Spot, path: Path) -> tuple[Path, str]:
        """Return the file and the name that `extends` means; raises RefusedError."""
        if isinstance(node, Scalar):
            return path, spot.text(spot.filled(node))
        table = spot.table(spot.filled(node))
        service = table.get("service")
        if service is None:
            raise spot.problem("missing-key", table.at, "extends needs the key service", expected="a key service")
        file = table.get("file")
        for one in table.entries:
            if one.key not in ("service", "file"):
                spot.key(one.key).refuse(one.at, "it is no key of extends")
        name = spot.key("service").text(service)
        return (path if file is None else self.places.beside(file.at, spot.key("file").text(file))), name

    def _other(self, path: Path) -> Table:
        resolved = path.resolve()
        if resolved not in self._read:
            try:
                self._read[resolved] = read_compose(path, self.places, self.ledger.log)
            except UnreadableError:
                raise RefusedError from None
        return self._read[resolved]


def overlay(base: Table, own: Table, spot: Spot) -> Table:
    """Return `base` with `own` laid over it: mappings by key, lists one after the other, the rest replaced."""
    merged: dict[str, Entry] = {one.key: one for one in base.entries}
    for one in own.entries:
        under = merged.get(one.key)
        value = one.value if under is None else _laid(one.key, under.value, one.value, spot.key(one.key))
        merged[one.key] = Entry(key=one.key, at=one.at, value=value)
    return mapping(merged.values(), own.at)


def _laid(key: str, base: Node, own: Node, spot: Spot) -> Node:
    if key in _REPLACED or (isinstance(own, Scalar) and own.value is None):
        return own
    if key == "env_file":
        return sequence((*_listed(base), *_listed(own)), own.at)
    if key in _PAIRS:
        base, own = spot.pairs(base), spot.pairs(own)
    elif key == "depends_on":
        base, own = conditions(base, spot), conditions(own, spot)
    elif key == "build":
        base, own = _context(base), _context(own)
    if isinstance(base, Table) and isinstance(own, Table):
        return overlay(base, own, spot)
    if isinstance(base, Items) and isinstance(own, Items):
        # What is mounted at the same place, or said twice, stands once: the later one.
        kept = {_identity(item): item for item in (*base.items, *own.items)}
        return sequence(kept.values(), own.at)
    return own


def waits_for(service: Table, spot: Spot) -> dict[str, str]:
    """Return the services that one is started after, each with the condition; raises RefusedError."""
    node = service.get("depends_on")
    here = spot.key("depends_on")
    found: dict[str, str] = {}
    for one in conditions(node, here).entries if node else ():
        table = here.key(one.key).table(one.value)
        condition = table.get("condition")
        found[one.key] = here.key(one.key).text(condition) if condition else STARTED
    linked = service.get("links")
    for text, _ in spot.key("links").texts(linked) if linked else ():
        found.setdefault(text.partition(":")[0], STARTED)
    return found


def _identity(node: Node) -> str:
    if isinstance(node, Table):
        target = node.get("target")
        return target.text if isinstance(target, Scalar) else str(id(node))
    if not isinstance(node, Scalar):
        return str(id(node))
    parts = node.text.split(":")
    return parts[1] if len(parts) > 1 and parts[1].startswith("/") else node.text


def _listed(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Items) else (node,)


def _context(node: Node) -> Table:
    return node if isinstance(node, Table) else mapping((entry("context", node.at, node),), node.at)


def conditions(node: Node, spot: Spot) -> Table:
    """Return `depends_on` in its long form; raises RefusedError."""
    if isinstance(node, Table):
        return node
    if isinstance(node, Scalar) and node.value is not None:
        raise spot.wrong(node, "a list of services, or a mapping from services to conditions")
    listed = spot.texts(node)
    return mapping((entry(name, at, {"condition": scalar(STARTED, at)}) for name, at in listed), node.at)
