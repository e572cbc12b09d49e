"""The services of a Compose file: for `import compose`, and for `compose:` in a spec (spec.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cleanroom.spec.compose import readiness, storage
from cleanroom.spec.compose.dotenv import values_of
from cleanroom.spec.compose.draft import Draft, Shared
from cleanroom.spec.compose.files import Places, read_compose, read_variables
from cleanroom.spec.compose.nodes import mapping
from cleanroom.spec.compose.project import Project, waits_for
from cleanroom.spec.compose.service import convert
from cleanroom.spec.compose.spot import Dropped, Ledger, Spot
from cleanroom.spec.discover import is_inside
from cleanroom.spec.document import Entry, Items, Node, Scalar, Table, UnreadableError
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import ProblemLog, nearest
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.source import NOWHERE, Position, Problem

_BLOCKS = ("volumes", "configs", "secrets")
_TOP = ("name", "version", "services", "networks", "include", "models", *_BLOCKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which services of which Compose file."""

    path: Path
    names: tuple[str, ...] = ()
    """Empty: all that belong to no profile or to one of `profiles`."""
    named_at: Mapping[str, Position] = field(default_factory=lambda: MappingProxyType({}))
    """Where a spec names them."""
    profiles: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    """Services that exist besides those of the Compose file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a Compose file gives: services as a spec writes them, and by name what it does not give."""

    name: str
    services: Table
    dropped: tuple[Dropped, ...]
    """In order of position."""
    variables: tuple[str, ...] = ()
    """Those of the `.env` file whose values stand in the services now."""
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """TCP ports by service, as the Compose file speaks of them."""


def import_compose(wanted: Wanted, root: Path, base: Path) -> Imported | tuple[Problem, ...]:
    """Return the services of a Compose file, or everything that makes it invalid, in order of position.

    Nothing outside of `root` is read; paths in the result are relative to the folder `base`.
    """
    log = ProblemLog(wanted.path.as_posix())
    imported = _read(wanted, Places(root.resolve(), base), log)
    problems = log.sorted()
    if imported is None or problems:
        return problems
    return imported


def merge_compose(document: Table, root: Path, directory: Path, log: ProblemLog) -> Table:
    """Return the spec with the services that its `compose` names; reports what cannot be taken and is not ignored.

    `document` has no templates any more: those of a Compose file are text. What has the wrong shape in `compose` is
    left to whoever reads it. A name that stands in the spec and in the Compose file is an error (`duplicate-service`).
    """
    node = document.get("compose")
    file = node.get("file") if isinstance(node, Table) else None
    if not isinstance(node, Table) or not isinstance(file, Scalar) or not isinstance(file.value, str) or file.broken:
        return document
    own = document.get("services")
    entries = own.entries if isinstance(own, Table) else ()
    names = frozenset(entry.key for entry in entries)
    wanted = Wanted(
        path=directory / file.value,
        names=tuple(_texts(node, "services")),
        named_at=_texts(node, "services"),
        profiles=tuple(_texts(node, "profiles")),
        known=names,
    )
    if not is_inside(wanted.path, root):
        log.report("outside", file.at, f"the Compose file {shown(file.value)} leaves the repository")
        return document
    if not wanted.path.is_file():
        log.report("missing-path", file.at, f"there is no Compose file {shown(file.value)}")
        return document
    found = ProblemLog(log.file, log.lines)
    imported = _read(wanted, Places(root.resolve(), directory), found)
    log.found.update(found.found)
    log.sources.update(found.sources)
    if imported is None:
        return document
    _report(imported, node, log)
    if not imported.services.entries:
        return document  # why there is none has been reported
    for entry in imported.services.entries:
        if entry.key in names:
            message = f"the service {shown(entry.key)} stands in the spec and in {shown(file.value)}"
            at = own.key_at(entry.key) if isinstance(own, Table) else node.at
            log.report("duplicate-service", at, message, got=f"also at {entry.at}")
    fresh = tuple(entry for entry in imported.services.entries if entry.key not in names)
    at = own.at if own is not None else node.at
    services = Entry(key="services", at=document.key_at("services"), value=mapping((*entries, *fresh), at))
    return mapping((*(entry for entry in document.entries if entry.key != "services"), services), document.at)


def _texts(table: Table, key: str) -> Mapping[str, Position]:
    """Return the texts of a list, each with its place."""
    node = table.get(key)
    items = node.items if isinstance(node, Items) else ()
    return {item.value: item.at for item in items if isinstance(item, Scalar) and isinstance(item.value, str)}


def _report(imported: Imported, node: Table, log: ProblemLog) -> None:
    """Report what was not taken and is not ignored, wanted services that are not there, and idle ignores."""
    ignored = node.get("ignore")
    items = [item for item in ignored.items if isinstance(item, Scalar)] if isinstance(ignored, Items) else []
    for one in imported.dropped:
        if one.weight == "refused" and not any(one.is_named_by(item.text) for item in items):
            suggestion = f"list {one.name} in compose.ignore to go without it"
            message = f"{one.name} cannot be taken from the Compose file: {one.reason}"
            log.report("not-taken", one.at, message, suggestion=suggestion)
    for item in items:
        if not any(one.is_named_by(item.text) for one in imported.dropped):
            close = nearest(item.text, (one.name for one in imported.dropped))
            message = f"compose.ignore names {shown(item.text)}, and nothing that was left out is called so"
            log.report("unknown-name", item.at, message, suggestion=f"did you mean {close}?" if close else "")


def _read(wanted: Wanted, places: Places, log: ProblemLog) -> Imported | None:
    """Return what the Compose file gives; None when it cannot be read. Problems are reported."""
    try:
        document = read_compose(wanted.path, places, log)
    except UnreadableError:
        return None
    used: dict[str, None] = {}
    variables: dict[str, str] = {}
    standard = {"COMPOSE_PROJECT_NAME": wanted.path.resolve().parent.name}

    def lookup(name: str) -> str | None:
        if name in variables:
            used[name] = None
            return variables[name]
        return standard.get(name)

    ledger = Ledger(log, lookup)
    beside = wanted.path.parent / ".env"
    if beside.is_file():
        at = Position(places.name(wanted.path), 1, 1)
        try:
            read = read_variables(beside, Spot(".env", ledger), at, places, lambda _name: None)
            variables.update(values_of(read))
        except RefusedError:
            return None
    used.clear()
    name = _top_level(document, ledger, standard)
    drafts = _drafts(wanted, document, Project(document, wanted.path, places, ledger))
    return Imported(
        name=name or standard["COMPOSE_PROJECT_NAME"],
        services=mapping((draft.finished(at) for draft, at in drafts), document.at),
        dropped=tuple(sorted(ledger.dropped.values())),
        variables=tuple(sorted(used)),
        ports=MappingProxyType({draft.name: draft.ports for draft, _ in drafts}),
    )


def _top_level(document: Table, ledger: Ledger, standard: dict[str, str]) -> str:
    """Look at the keys of the whole file; returns the project's name."""
    name = ""
    for entry in document.entries:
        spot = Spot(entry.key, ledger)
        if entry.key == "name":
            try:
                name = standard["COMPOSE_PROJECT_NAME"] = spot.text(spot.filled(entry.value))
            except RefusedError:
                continue
        elif entry.key == "version":
            spot.note(entry.at, "Compose itself ignores it")
        elif entry.key == "include":
            spot.refuse(entry.at, "other Compose files are not included; import them too")
        elif entry.key == "models":
            spot.refuse(entry.at, "there are no models")
        elif entry.key == "networks":
            _networks(entry, spot)
        elif entry.key not in _TOP and not entry.key.startswith("x-"):
            close = nearest(entry.key, _TOP)
            spot.refuse(entry.at, "it is no key of Compose" + (f"; did you mean {close}?" if close else ""))
    return name


def _networks(entry: Entry, spot: Spot) -> None:
    declared = entry.value.entries if isinstance(entry.value, Table) else ()
    for one in declared:
        inner = one.value.entries if isinstance(one.value, Table) else ()
        for option in inner:
            if option.key == "external" and getattr(option.value, "value", None) is not False:
                spot.key(one.key).key("external").refuse(option.at, "nothing outside of the environment can be reached")
    spot.note(entry.at, "each environment has one network, without a way out, and every service is in it")


def _drafts(wanted: Wanted, document: Table, project: Project) -> list[tuple[Draft, Position]]:
    """Return the wanted services, as far as they are valid, each with the position of its name."""
    ledger = project.ledger
    written = document.get("services")
    declared = frozenset(entry.key for entry in written.entries) if isinstance(written, Table) else frozenset()
    for name in wanted.names:
        if name not in declared:
            close = nearest(name, declared)
            suggestion = f"did you mean {close}?" if close else ""
            message = f"there is no service {shown(name)} in the Compose file"
            at = wanted.named_at.get(name, document.at)
            ledger.log.report("unknown-service", at, message, suggestion=suggestion)
    chosen = project.chosen(wanted.names, wanted.profiles, wanted.known)
    if not chosen and not ledger.log.found:
        message = "no service of the Compose file is chosen"
        at = written.at if written else document.at
        ledger.log.report("empty-list", at, message, suggestion="choose a profile that has services")
    shared = _shared(wanted, document, project, chosen, declared)
    drafts: list[tuple[Draft, Position]] = []
    for name, (table, spot) in chosen.items():
        draft = Draft(name=name, source=table, spot=spot, shared=shared)
        try:
            convert(draft)
        except RefusedError:
            continue
        drafts.append((draft, written.key_at(name) if isinstance(written, Table) else NOWHERE))
    return drafts


def _shared(
    wanted: Wanted,
    document: Table,
    project: Project,
    chosen: Mapping[str, tuple[Table, Spot]],
    declared: frozenset[str],
) -> Shared:
    waits: dict[str, set[str]] = {}
    mounts: dict[str, int] = {}
    for table, spot in chosen.values():
        try:
            for name, condition in waits_for(table, spot).items():
                waits.setdefault(name, set()).add(condition)
            containers = 2 if _has_replicas(table) else 1
            for volume in storage.named_volumes(table, spot):
                mounts[volume] = mounts.get(volume, 0) + containers
        except RefusedError:
            continue  # reported; the service itself will say so again, once
    blocks: dict[str, Node] = {key: node for key in _BLOCKS if (node := document.get(key)) is not None}
    return Shared(
        places=project.places,
        top=MappingProxyType(blocks),
        known=frozenset(chosen) | wanted.known,
        declared=declared,
        shared_volumes=frozenset(name for name, count in mounts.items() if count > 1),
        finished=frozenset(name for name, found in waits.items() if readiness.FINISHED in found),
        healthy=frozenset(name for name, found in waits.items() if readiness.HEALTHY in found),
    )


def _has_replicas(table: Table) -> bool:
    deploy = table.get("deploy")
    nodes: Sequence[Node | None] = (table.get("scale"), deploy.get("replicas") if isinstance(deploy, Table) else None)
    return any(isinstance(node, Scalar) and node.text not in ("", "0", "1") for node in nodes)
