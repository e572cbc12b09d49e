"""Cross-references of services: what they wait for, what they are called, how many they are (spec.md section 2)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.reference import items_at, locate, require
from cleanroom.spec.shapes.service import LONGEST_NAME, MOST_REPLICAS

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.service import Service
    from cleanroom.spec.source import Position
    from cleanroom.spec.suite import Suite


def declared_services(document: Table) -> tuple[str, ...]:
    """Return every name that a service is called by: as it is written, and those of its replicas.

    A name counts as declared when it is written, even where the rest of its declaration is broken.
    """
    written = document.get("services")
    names: list[str] = []
    for entry in written.entries if isinstance(written, Table) else ():
        names += [entry.key, *_replicas(entry.key, entry.value)]
    return tuple(dict.fromkeys(names))


def _replicas(name: str, node: Node) -> tuple[str, ...]:
    found = locate(node, "replicas")
    count = found.value if isinstance(found, Scalar) else None
    if not isinstance(count, int) or isinstance(count, bool) or not 1 < count <= MOST_REPLICAS:
        return ()
    return tuple(f"{name}-{number}" for number in range(1, count + 1))


def check_services(suite: Suite, document: Table, log: ProblemLog) -> None:
    """Report dependencies that are unknown or go in a circle, names that two things have, and limits too low."""
    written = document.get("services")
    names = tuple(entry.key for entry in written.entries) if isinstance(written, Table) else ()
    _check_dependencies(suite, written, names, log)
    _check_replicas(written, names, log)
    _check_hosts(suite, written, declared_services(document), log)
    _check_targets(suite, written, log)
    _check_limit(suite, document, log)
    for child in items_at(document, "contracts", "services"):
        if isinstance(child, Scalar) and isinstance(child.value, str):
            require(child.value, child.at, names, "service", log)


def _check_dependencies(suite: Suite, written: Node | None, names: tuple[str, ...], log: ProblemLog) -> None:
    after = {service.name: service.depends_on for service in suite.services}
    for service in suite.services:
        for child in items_at(written, service.name, "depends_on"):
            if isinstance(child, Scalar) and isinstance(child.value, str):
                require(child.value, child.at, names, "service", log)
    settled: set[str] = set()
    for name in after:
        cycle = _cycle(name, after, settled)
        if cycle:
            at = _dependency_at(written, cycle[0], cycle[1])
            message = f"the services wait for each other: {' -> '.join(cycle)}"
            log.report("dependency-cycle", at, message, expected="an order in which services can start")


def _dependency_at(written: Node | None, service: str, dependency: str) -> Position:
    children = items_at(written, service, "depends_on")
    return next(child.at for child in children if getattr(child, "value", None) == dependency)


def _cycle(start: str, after: dict[str, tuple[str, ...]], settled: set[str]) -> tuple[str, ...]:
    """Return the first cycle reachable from `start` (its first name again at the end), or nothing; grows `settled`."""
    path: list[str] = []
    pending: list[tuple[str, bool]] = [(start, False)]
    while pending:
        name, is_done = pending.pop()
        if is_done:
            path.pop()
            settled.add(name)
        elif name in path:
            settled.update(path)
            return (*path[path.index(name) :], name)
        elif name not in settled:
            path.append(name)
            pending.append((name, True))
            pending += [(dependency, False) for dependency in reversed(after.get(name, ()))]
    return ()


def _check_replicas(written: Node | None, names: tuple[str, ...], log: ProblemLog) -> None:
    for name in names:
        node = locate(written, name)
        replicas = _replicas(name, node) if node is not None else ()
        at = _found_at(node, "replicas")
        for replica in replicas:
            if replica in names:
                first = written.key_at(replica) if isinstance(written, Table) else at
                message = f"a replica of {name} is called {shown(replica)}, and so is a service"
                log.report("duplicate-service", at, message, got=f"the service is at {first}")
        if replicas and len(replicas[-1]) > LONGEST_NAME:
            message = f"{shown(replicas[-1])} is too long for the name of a container"
            log.report("wrong-value", at, message, expected=f"a service name of at most {LONGEST_NAME} with its number")


def _check_hosts(suite: Suite, written: Node | None, names: tuple[str, ...], log: ProblemLog) -> None:
    owners = dict.fromkeys(names, "a service")
    for service in suite.services:
        for node in items_at(written, service.name, "mock", "hosts"):
            host = node.value if isinstance(node, Scalar) else None
            if not isinstance(host, str):
                continue
            folded = host.lower()
            if folded in owners:
                message = f"the name {shown(host)} is already that of {owners[folded]}"
                log.report("duplicate-host", node.at, message, expected="one that answers to each name")
            owners.setdefault(folded, f"the mock {service.name}")


def _check_targets(suite: Suite, written: Node | None, log: ProblemLog) -> None:
    """Report paths of a container at which two things would stand."""
    for service in suite.services:
        node = locate(written, service.name)
        nodes = {item.at: item for item in items_at(node, "volumes")}
        _check_hidden(service, node, log)
        first: dict[str, str] = {path.rstrip("/"): "tmpfs" for path in service.tmpfs}
        first |= {path.rstrip("/"): "a file of files" for path in service.files}
        for volume in service.volumes:
            if volume.target in first:
                message = f"{first[volume.target]} of {service.name} is at {shown(volume.target)} already"
                log.report("duplicate-target", _found_at(nodes[volume.at], "target"), message)
            first.setdefault(volume.target, "a volume")


def _check_hidden(service: Service, node: Node | None, log: ProblemLog) -> None:
    """Report files that nobody would see: they are put into the container before a tmpfs is mounted over them."""
    written = locate(node, "files")
    if not isinstance(written, Table):
        return
    over = [posixpath.normpath(path) for path in service.tmpfs]
    for path in service.files:
        hiding = next((folder for folder in over if f"{posixpath.normpath(path)}/".startswith(f"{folder}/")), "")
        if hiding:
            message = f"the file {shown(path)} of {service.name} lies under its tmpfs {hiding}, which hides it"
            log.report("contradiction", written.key_at(path), message, expected="a path outside of every tmpfs")


def _check_limit(suite: Suite, document: Table, log: ProblemLog) -> None:
    """Report a limit of containers that the services alone exceed: no run could keep it."""
    most = suite.limits.containers
    needed = sum(service.replicas for service in suite.services if service.mock is None)
    if most is not None and needed > most:
        at = _found_at(document, "limits", "containers")
        message = f"the services are {needed} containers, more than the limit of {most}"
        log.report("impossible", at, message, expected=f"at least {needed}")


def _found_at(node: Node | None, *path: str) -> Position:
    found = locate(node, *path) or node
    if found is None:  # only asked about what was read from a node
        raise LookupError(".".join(path))
    return found.at
