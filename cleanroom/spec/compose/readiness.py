"""When a Compose service counts as ready: its healthcheck, what others wait for, the ports it speaks of."""

from __future__ import annotations

import re

from cleanroom.quantity import Duration, parse_duration
from cleanroom.spec.compose.draft import Draft
from cleanroom.spec.compose.nodes import node_of, sequence
from cleanroom.spec.compose.project import STARTED, conditions
from cleanroom.spec.compose.spot import Spot
from cleanroom.spec.document import Entry, Items, Node, Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.service import READY_TIMEOUT
from cleanroom.spec.shapes.place import RefusedError

HEALTHY, FINISHED = "service_healthy", "service_completed_successfully"
_INTERVAL = _TIMEOUT = Duration(30 * 10**9)
_RETRIES = 3
_PORT = re.compile(r"(?:.*:)?(\d+)(?:-\d+)?(?:/(tcp|udp|sctp))?")


def depends_on(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `depends_on`: what a service waits for is started before it, and ready."""
    names: list[Node] = []
    for part in conditions(one.value, spot).entries:
        here = spot.key(part.key)
        table = here.table(part.value)
        condition = table.get("condition")
        word = here.text(condition) if condition else STARTED
        if word not in (STARTED, HEALTHY, FINISHED):
            raise here.wrong(condition or part.value, f"{STARTED}, {HEALTHY} or {FINISHED}")
        for option in table.entries:
            if option.key == "restart" and here.key("restart").truth(option.value):
                here.key("restart").refuse(option.at, "a service is not restarted with what it depends on")
            elif option.key not in ("condition", "required", "restart"):
                here.key(option.key).refuse(option.at, "it is no key of depends_on")
        required = table.get("required")
        if part.key not in draft.shared.known:
            if required is None or here.key("required").truth(required):
                raise _missing(draft, part, here)
            here.decide(part.at, "the service is not among those that were chosen, and is not required")
            continue
        names.append(node_of(part.key, part.at))
    if names:
        draft.put("depends_on", one.at, sequence(names, one.at))


def links(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `links` without an alias as an order of starting."""
    old = draft.entries.get("depends_on")
    listed = list(old.value.items) if old and isinstance(old.value, Items) else []
    for number, (text, at) in enumerate(spot.texts(one.value)):
        name, _, alias = text.partition(":")
        if alias and alias != name:
            spot.item(number).refuse(at, f"services are known by their names only, not as {shown(alias)}")
        elif all(not isinstance(node, Scalar) or node.value != name for node in listed):
            listed.append(node_of(name, at))
    if listed:
        draft.put("depends_on", old.at if old else one.at, sequence(listed, one.at))


def ports(draft: Draft, one: Entry, spot: Spot) -> None:
    """Note the TCP ports of `ports` and `expose`; by their order the first is the one to wait for."""
    found: list[int] = []
    for number, item in enumerate(spot.items(one.value)):
        here = spot.item(number)
        table = item if isinstance(item, Table) else None
        target = table.get("target") if table else item
        if target is None:
            raise here.wrong(item, "a port, or a mapping with target")
        protocol = table.get("protocol") if table else None
        match = _PORT.fullmatch(here.text(target))
        if not match or not 0 < int(match[1]) < 65536:  # noqa: PLR2004 -- ports
            raise here.wrong(target, "a port such as 8080 or 8080:80")
        if (match[2] or (here.text(protocol) if protocol else "tcp")) == "tcp":
            found.append(int(match[1]))
    draft.ports = tuple(dict.fromkeys((*draft.ports, *found)))


def ready(draft: Draft) -> None:
    """Decide what the service is waited for by."""
    node = draft.source.get("healthcheck")
    spot = draft.spot.key("healthcheck")
    probe: Node | None = None
    if node is not None:
        probe = _healthcheck(draft, spot.table(node), spot)
    at = draft.source.key_at("healthcheck") if node else draft.source.at
    if draft.name in draft.shared.finished:
        if probe is not None:
            spot.decide(at, "another service waits for this one to end, so its end is what is waited for")
        draft.put("ready", at, [{"exit": 0}])
        draft.entries.pop("ready_timeout", None)
    elif probe is not None:
        draft.put("ready", at, sequence((probe,), at))
    elif draft.ports:
        _guess(draft)
    if draft.name in draft.shared.healthy and probe is None and draft.name not in draft.shared.finished:
        reason = "another service waits for it to be healthy, and only its image may say how"
        spot.refuse(at, f"{reason}: write what it is ready by")


def _guess(draft: Draft) -> None:
    key = "ports" if draft.source.get("ports") else "expose"
    at = draft.source.key_at(key)
    draft.put("ready", at, [{"tcp": draft.ports[0]}])
    reason = f"there is no healthcheck: it counts as ready when port {draft.ports[0]} accepts connections"
    draft.spot.key("ready").decide(at, reason)


def _healthcheck(draft: Draft, table: Table, spot: Spot) -> Node | None:
    """Return the probe that a healthcheck means, or None; sets how long it may take."""
    test = table.get("test")
    disable = table.get("disable")
    if disable is not None and spot.key("disable").truth(disable):
        return None
    for part in table.entries:
        if part.key not in ("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"):
            spot.key(part.key).refuse(part.at, "it is no key of a healthcheck")
    if test is None:
        at = table.at
        spot.refuse(at, "the healthcheck of the image is not known here: write what the service is ready by")
        return None
    command = _command(test, spot.key("test"))
    if command is None:
        return None
    longest = _longest(table, spot)
    if longest > READY_TIMEOUT:
        draft.put("ready_timeout", table.at, str(longest))
    return node_of({"exec": command}, test.at)


def _command(node: Node, spot: Spot) -> list[str] | None:
    if isinstance(node, Scalar):
        return ["sh", "-c", spot.text(node)]
    words = [text for text, _ in spot.texts(node)]
    if words[:1] == ["NONE"]:
        return None
    if words[:1] == ["CMD"] and len(words) > 1:
        return words[1:]
    if words[:1] == ["CMD-SHELL"] and len(words) == 2:  # noqa: PLR2004 -- the word and the command
        return ["sh", "-c", words[1]]
    raise spot.wrong(node, "text, [CMD, …], [CMD-SHELL, text] or [NONE]")


def _longest(table: Table, spot: Spot) -> Duration:
    """Return how long Compose would wait at most until it calls the service unhealthy."""

    def duration(key: str, default: Duration) -> Duration:
        node = table.get(key)
        if node is None:
            return default
        try:
            return parse_duration(spot.key(key).text(node))
        except ValueError:
            raise spot.key(key).wrong(node, "a duration such as 10s") from None

    retries = table.get("retries")
    count = spot.key("retries").number(retries) if retries else _RETRIES
    each = duration("interval", _INTERVAL).ns + duration("timeout", _TIMEOUT).ns
    return Duration(duration("start_period", Duration(0)).ns + max(1, count or _RETRIES) * each)


def _missing(draft: Draft, one: Entry, spot: Spot) -> RefusedError:
    """Report a dependency on a service that is not there; returns the exception to raise."""
    if one.key in draft.shared.declared:
        suggestion = "choose it too, by its name or its profile"
        return spot.problem(
            "unknown-service", one.at, "it waits for a service that was not chosen", suggestion=suggestion
        )
    close = nearest(one.key, draft.shared.declared)
    suggestion = f"did you mean {close}?" if close else ""
    message = f"there is no service {shown(one.key)}"
    return spot.problem("unknown-service", one.at, message, suggestion=suggestion)
