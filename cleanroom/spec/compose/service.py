"""One service of a Compose file as one of a spec."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from cleanroom.quantity import parse_duration
from cleanroom.spec.compose import readiness, resources, storage
from cleanroom.spec.compose.draft import Draft
from cleanroom.spec.compose.files import read_variables
from cleanroom.spec.compose.nodes import entry, mapping, node_of, scalar, sequence
from cleanroom.spec.compose.spot import Spot
from cleanroom.spec.compose.unsupported import drop
from cleanroom.spec.document import Entry, Items, Node, Scalar, Table
from cleanroom.spec.operand import shown

Taker: TypeAlias = Callable[[Draft, Entry, Spot], None]
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_REMOTE = re.compile(r"(?:[a-z+]+://|git@|github\.com/)")
_NOT_GIVEN = "it has no value in the Compose file or .env, and nobody's own environment is read"
_BUILD = frozenset({"context", "dockerfile", "args", "target"})


def convert(draft: Draft) -> None:
    """Fill a draft from its service; raises RefusedError when the Compose file is invalid there."""
    table, spot = draft.source, draft.spot
    if table.get("image") is None and table.get("build") is None:
        message = "a service needs an image or a build"
        raise spot.problem("missing-key", table.at, message, expected="a key image or build")
    resources.capabilities(draft)
    for one in table.entries:
        here = spot.key(one.key)
        taker = TAKERS.get(one.key)
        if isinstance(one.value, Scalar) and one.value.value is None and one.key != "build":
            continue  # `ports:` with nothing below it says nothing
        if taker:
            taker(draft, one, here)
        elif one.key not in _ELSEWHERE:
            drop(one, here, "", _TAKEN)
    if "links" in table_keys(table):
        readiness.links(draft, next(one for one in table.entries if one.key == "links"), spot.key("links"))
    readiness.ready(draft)


def table_keys(table: Table) -> frozenset[str]:
    """Return the keys of a mapping."""
    return frozenset(one.key for one in table.entries)


def _text(name: str) -> Taker:
    """Return the taker of a key that is called `name` in a spec and takes the same text."""

    def take(draft: Draft, one: Entry, spot: Spot) -> None:
        draft.put(name, one.at, scalar(spot.text(one.value), one.value.at))

    return take


def _image(draft: Draft, one: Entry, spot: Spot) -> None:
    if draft.source.get("build") is not None:
        spot.note(one.at, "the service is built; what is built is named by the run")
        return
    image = spot.text(one.value)
    if not image.strip():
        raise spot.problem("wrong-value", one.value.at, "the name of the image is empty")
    draft.put("image", one.at, scalar(image, one.value.at))


def _build(draft: Draft, one: Entry, spot: Spot) -> None:
    if isinstance(one.value, Scalar):
        table = mapping((entry("context", one.value.at, one.value),), one.value.at)
    else:
        table = spot.table(one.value)
    context = table.get("context")
    where = spot.key("context").text(context) if context else "."
    if _REMOTE.match(where):
        raise spot.problem(
            "outside", (context or table).at, f"the build context {shown(where)} is not in the repository"
        )
    path = draft.shared.places.beside((context or table).at, where)
    built = [entry("context", (context or table).at, draft.shared.places.written(path))]
    for part in table.entries:
        here = spot.key(part.key)
        if part.key in ("dockerfile", "target"):
            built.append(entry(part.key, part.at, here.text(part.value)))
        elif part.key == "args":
            arguments = _variables(here.pairs(part.value), here)
            if arguments:
                built.append(entry("args", part.at, mapping(arguments, part.at)))
        elif part.key != "context":
            drop(part, here, "build", _BUILD)
    draft.put("build", one.at, mapping(built, one.at))


def _variables(table: Table, spot: Spot) -> list[Entry]:
    """Return variables with their values as text; those without one take that of the `.env` file."""
    kept: list[Entry] = []
    for one in table.entries:
        value = one.value
        if not isinstance(value, Scalar):
            raise spot.key(one.key).wrong(value, "text")
        if not one.key or "=" in one.key or not one.key.isprintable():
            raise spot.problem("wrong-value", one.at, f"{shown(one.key)} is not the name of a variable")
        if value.value is None:
            given = spot.ledger.lookup(one.key)
            if given is None:
                spot.key(one.key).refuse(one.at, _NOT_GIVEN)
            else:
                kept.append(entry(one.key, one.at, given))
        else:
            same = isinstance(value.value, (bool, int)) and value.text == scalar(value.value, value.at).text
            kept.append(Entry(key=one.key, at=one.at, value=value if same else scalar(value.text, value.at)))
    return kept


def _environment(draft: Draft, one: Entry, spot: Spot) -> None:
    for variable in _variables(spot.pairs(one.value), spot):
        draft.extend("environment", variable)


def _env_file(draft: Draft, one: Entry, spot: Spot) -> None:
    """Read variables from files; those of `environment` are stronger, whatever the order in the Compose file."""
    nodes = one.value.items if isinstance(one.value, Items) else (one.value,)
    strong = draft.source.get("environment")
    named = table_keys(draft.spot.key("environment").pairs(strong)) if strong else frozenset()
    for number, node in enumerate(nodes):
        here = spot.item(number) if isinstance(one.value, Items) else spot
        path_node, required = node, True
        if isinstance(node, Table):
            inner = node.get("path")
            needed = node.get("required")
            if inner is None:
                raise here.problem("missing-key", node.at, "env_file needs the key path", expected="a key path")
            required = here.key("required").truth(needed) if needed else True
            for part in node.entries:
                if part.key not in ("path", "required"):
                    here.key(part.key).refuse(part.at, "env files are read in the one form of Compose")
            path_node = inner
        path = draft.shared.places.beside(path_node.at, here.text(path_node))
        if not required and not path.exists():
            continue
        found = read_variables(path, here, path_node.at, draft.shared.places, spot.ledger.lookup)
        for name, assignment in found.items():
            value = assignment.value if assignment.value is not None else spot.ledger.lookup(name)
            if value is None:
                here.key(name).refuse(path_node.at, _NOT_GIVEN)
            elif name not in named:
                draft.extend("environment", entry(name, path_node.at, value))


def _command(name: str) -> Taker:
    """Return the taker of `command` or `entrypoint`: text is split into words and runs in no shell."""

    def take(draft: Draft, one: Entry, spot: Spot) -> None:
        node = one.value
        if isinstance(node, Scalar):
            try:
                words: list[Node] = [node_of(word, node.at) for word in shlex.split(spot.text(node))]
            except ValueError as err:
                raise spot.problem("wrong-value", node.at, f"it cannot be split into words: {err}") from err
        else:
            words = [scalar(text, at) for text, at in spot.texts(node)]
        if words:
            draft.put(name, one.at, sequence(words, one.value.at))
        else:
            spot.refuse(one.at, f"the {name} of the image cannot be taken away")

    return take


def _hostname(draft: Draft, one: Entry, spot: Spot) -> None:
    text = spot.text(one.value)
    if _HOST.fullmatch(text):
        draft.put("hostname", one.at, scalar(text, one.value.at))
    else:
        spot.refuse(one.at, f"{shown(text)} is not one name of letters, digits and hyphens")


def _init(draft: Draft, one: Entry, spot: Spot) -> None:
    draft.put("init", one.at, spot.truth(one.value))


def _grace(draft: Draft, one: Entry, spot: Spot) -> None:
    text = spot.text(one.value)
    try:
        parse_duration(text)
    except ValueError:
        raise spot.wrong(one.value, "a duration such as 10s") from None
    draft.put("stop_grace", one.at, text)


def _labels(draft: Draft, one: Entry, spot: Spot) -> None:
    for label in spot.pairs(one.value).entries:
        value = label.value
        if not isinstance(value, Scalar):
            raise spot.key(label.key).wrong(value, "text")
        draft.extend("labels", entry(label.key, label.at, value.text if value.value is not None else ""))


def _networks(_draft: Draft, one: Entry, spot: Spot) -> None:
    """Note that there is one network; aliases and addresses in it cannot be given."""
    special = False
    for network in one.value.entries if isinstance(one.value, Table) else ():
        here = spot.key(network.key)
        for option in here.table(network.value).entries:
            if option.key in ("aliases", "link_local_ips") or option.key.endswith(("_address", "driver_opts")):
                here.key(option.key).refuse(option.at, "a service is known by its name, at an address of the run's own")
                special = True
    if not special:
        spot.note(one.at, "each environment has one network, without a way out, and every service is in it")


def _network_mode(_draft: Draft, one: Entry, spot: Spot) -> None:
    if spot.text(one.value) in ("bridge", "default"):
        spot.note(one.at, "each environment has one network, without a way out")
    else:
        drop(one, spot, "", _TAKEN)


def _ports(draft: Draft, one: Entry, spot: Spot) -> None:
    readiness.ports(draft, one, spot)
    drop(one, spot, "", _TAKEN)


TAKERS: Mapping[str, Taker] = MappingProxyType({
    "image": _image,
    "build": _build,
    "command": _command("command"),
    "entrypoint": _command("entrypoint"),
    "environment": _environment,
    "env_file": _env_file,
    "user": _text("user"),
    "working_dir": _text("working_dir"),
    "hostname": _hostname,
    "stop_signal": _text("stop_signal"),
    "stop_grace_period": _grace,
    "init": _init,
    "labels": _labels,
    "depends_on": readiness.depends_on,
    "ports": _ports,
    "expose": _ports,
    "volumes": storage.volumes,
    "tmpfs": storage.tmpfs,
    "configs": storage.configs,
    "secrets": storage.configs,
    "ulimits": resources.ulimits,
    "mem_limit": resources.memory,
    "cpus": resources.cpus,
    "pids_limit": resources.pids,
    "deploy": resources.deploy,
    "scale": resources.scale,
    "restart": resources.restart,
    "networks": _networks,
    "network_mode": _network_mode,
})  # fmt: skip
_ELSEWHERE = frozenset({"profiles", "links", "healthcheck", "cap_add", "cap_drop", "extends"})
_TAKEN = frozenset(TAKERS) | _ELSEWHERE
