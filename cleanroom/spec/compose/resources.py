"""Limits, rights, restarts and replicas of a Compose service."""

from __future__ import annotations

import re
from fractions import Fraction

from cleanroom.spec.capability import ALLOWED, REFUSED
from cleanroom.spec.compose.draft import Draft
from cleanroom.spec.compose.nodes import entry
from cleanroom.spec.compose.spot import Spot
from cleanroom.spec.compose.unsupported import drop
from cleanroom.spec.document import Entry, Node, Scalar

_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_WORDS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
GIVEN_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
"""What an engine gives to every container."""
_DEPLOY_TAKEN = frozenset({"replicas", "resources", "restart_policy"})


def size(spot: Spot, node: Node) -> str | int:
    """Return a size of Compose, whose units are powers of 1024, as a spec writes it; raises RefusedError."""
    match = _BYTES.fullmatch(spot.text(node).strip())
    if not match:
        raise spot.wrong(node, "a size such as 512m")
    count = int(Fraction(match[1]) * 2 ** _UNITS[match[2].lower()])
    return next((f"{count // unit}{word}" for unit, word in _WORDS if count and count % unit == 0), count)


def cpus(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `cpus`."""
    try:
        count = float(spot.text(one.value))
    except ValueError:
        raise spot.wrong(one.value, "a number of processors") from None
    if count > 0:
        draft.extend("limits", entry("cpus", one.at, int(count) if count == int(count) else count))


def memory(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `mem_limit`."""
    amount = size(spot, one.value)
    if amount:
        draft.extend("limits", entry("memory", one.at, amount))


def pids(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `pids_limit`; zero and below mean no limit."""
    count = spot.number(one.value)
    if count > 0:
        draft.extend("limits", entry("pids", one.at, count))


def ulimits(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `nofile` of `ulimits`."""
    for limit in spot.table(one.value).entries:
        here = spot.key(limit.key)
        if limit.key != "nofile":
            here.refuse(limit.at, "of ulimits only nofile can be set")
            continue
        value = limit.value
        if not isinstance(value, Scalar):
            table = here.table(value)
            hard = table.get("hard") or table.get("soft")
            if hard is None:
                raise here.wrong(value, "a number, or soft and hard")
            soft = table.get("soft") or hard
            if here.number(soft) != here.number(hard):
                here.key("soft").decide(soft.at, "there is one limit of open files; it is the hard one")
            value = hard
        count = here.number(value)
        if count > 0:
            draft.extend("limits", entry("nofile", limit.at, count))


def capabilities(draft: Draft) -> None:
    """Take `cap_add` and `cap_drop` together: a spec lists all that a service may have."""
    kept = set(GIVEN_CAPABILITIES)
    at = None
    for key in ("cap_drop", "cap_add"):
        node = draft.source.get(key)
        if node is None:
            continue
        spot = draft.spot.key(key)
        at = draft.source.key_at(key)
        for number, (text, where) in enumerate(spot.texts(node)):
            name = text.upper().removeprefix("CAP_")
            if key == "cap_drop":
                kept = set() if name == "ALL" else kept - {name}
            elif name not in ALLOWED:
                reason = REFUSED.get(name, "there is no such capability for a service")
                spot.item(number).refuse(where, f"no service can have {name}: {reason}")
            else:
                kept.add(name)
    if at is not None and kept != GIVEN_CAPABILITIES:
        draft.put("capabilities", at, sorted(kept))


def restart(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `restart`."""
    word, _, most = spot.text(one.value).partition(":")
    if word in ("no", "false"):
        return
    if word in ("always", "unless-stopped") and not most:
        draft.put("restart", one.at, {"policy": "always"})
    elif word == "on-failure" and (not most or most.isdecimal()):
        limit = {"max": int(most)} if most and int(most) else {}
        draft.put("restart", one.at, {"policy": "on-failure", **limit})
    else:
        raise spot.wrong(one.value, "no, always, unless-stopped or on-failure")


def scale(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `scale` and `deploy.replicas`."""
    count = spot.number(one.value)
    if count < 1:
        spot.refuse(one.at, "a service has at least one container; leave the service out")
    elif count > 1:
        draft.put("replicas", one.at, count)


def deploy(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take replicas, limits and the restart policy of `deploy`."""
    for part in spot.table(one.value).entries:
        here = spot.key(part.key)
        if part.key == "replicas":
            scale(draft, part, here)
        elif part.key == "resources":
            _resources(draft, part, here)
        elif part.key == "restart_policy":
            _restart_policy(draft, part, here)
        else:
            drop(part, here, "deploy", _DEPLOY_TAKEN)


def _resources(draft: Draft, one: Entry, spot: Spot) -> None:
    for part in spot.table(one.value).entries:
        here = spot.key(part.key)
        if part.key == "reservations":
            here.note(part.at, "it reserves and limits nothing")
            continue
        if part.key != "limits":
            here.refuse(part.at, "it is no key of deploy.resources")
            continue
        takers = {"cpus": cpus, "memory": memory, "pids": pids}
        for limit in here.table(part.value).entries:
            taker = takers.get(limit.key)
            if taker:
                taker(draft, limit, here.key(limit.key))
            else:
                here.key(limit.key).refuse(limit.at, "there is no such limit")


def _restart_policy(draft: Draft, one: Entry, spot: Spot) -> None:
    table = spot.table(one.value)
    condition = table.get("condition")
    word = spot.key("condition").text(condition) if condition else "any"
    attempts = table.get("max_attempts")
    for part in table.entries:
        if part.key not in ("condition", "max_attempts"):
            spot.key(part.key).note(part.at, "the engine has its own pauses between restarts")
    if word == "none":
        draft.entries.pop("restart", None)
    elif word == "on-failure":
        most = spot.key("max_attempts").number(attempts) if attempts else 0
        limit = {"max": most} if most > 0 else {}
        draft.put("restart", one.at, {"policy": "on-failure", **limit})
    elif word == "any":
        draft.put("restart", one.at, {"policy": "always"})
        if attempts:
            spot.key("max_attempts").refuse(attempts.at, "only restarts on failure are counted")
    else:
        raise spot.wrong(condition or one.value, "none, on-failure or any")
