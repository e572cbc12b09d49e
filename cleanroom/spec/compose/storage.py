"""Volumes, tmpfs, configs and secrets of a Compose service."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from cleanroom.spec.compose.draft import Draft
from cleanroom.spec.compose.nodes import FileText, entry, node_of, sequence
from cleanroom.spec.compose.resources import size
from cleanroom.spec.compose.spot import Spot
from cleanroom.spec.document import Entry, Items, Node, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.source import Position

_TMPFS_SIZE = "64MiB"
_MODES = frozenset({"ro", "rw", "z", "Z", "cached", "delegated", "consistent", "nocopy", ""})
_FRESH = (
    "a volume is empty in each environment, and nothing else mounts this one: the container's own file system serves"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One volume of a service in its long form."""

    type: str
    source: str
    target: str
    read_only: bool
    at: Position
    """Where its source stands: relative paths are relative to that file."""


def named_volumes(service: Table, spot: Spot) -> list[str]:
    """Return the named volumes that a service mounts; raises RefusedError."""
    node = service.get("volumes")
    items = spot.key("volumes").items(node) if node else ()
    mounts = [_mount(item, spot.key("volumes").item(number)) for number, item in enumerate(items)]
    return [mount.source for mount in mounts if mount and mount.type == "volume" and mount.source]


def volumes(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `volumes`."""
    mounts = [(item, spot.item(n), _mount(item, spot.item(n))) for n, item in enumerate(spot.items(one.value))]
    folders = [posixpath.join(mount.target, "") for _, _, mount in mounts if mount and mount.type == "bind"]
    for item, here, mount in mounts:
        if mount is None:
            continue
        if not _is_path(mount.target):
            here.refuse(item.at, f"{shown(mount.target)} is not an absolute path inside the container")
        elif mount.type == "tmpfs":
            _tmpfs_mount(draft, item, mount, here)
        elif mount.type == "bind":
            _bind(draft, item, mount, here)
        elif mount.type != "volume":
            here.refuse(item.at, f"mounts of the type {shown(mount.type)} cannot be taken")
        elif mount.source in draft.shared.shared_volumes:
            _named(draft, item, mount, here)
        elif mount.target.startswith(tuple(folders)):
            here.refuse(item.at, "it would keep what the image has below a folder that is mounted over it")
        elif not _is_special(draft, mount, here):
            here.note(item.at, _FRESH)


def tmpfs(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `tmpfs`; one without a size gets a small one."""
    for number, (text, at) in enumerate(spot.texts(one.value)):
        here = spot.item(number) if isinstance(one.value, Items) else spot
        path, _, options = text.partition(":")
        amount: str | int | None = None
        for option in filter(None, options.split(",")):
            name, _, value = option.partition("=")
            if name == "size":
                amount = size(here, node_of(value, at))
            elif option not in ("rw", "noexec", "nosuid", "nodev"):
                here.refuse(at, f"the option {shown(option)} of a tmpfs cannot be set")
        _add_tmpfs(draft, path, amount, at, here)


def configs(draft: Draft, one: Entry, spot: Spot) -> None:
    """Take `configs` and `secrets` as files; `one.key` says which."""
    folder = "/" if one.key == "configs" else "/run/secrets"
    for number, item in enumerate(spot.items(one.value)):
        here = spot.item(number)
        table = here.table(item) if isinstance(item, Table) else None
        source_node = table.get("source") if table else item
        if source_node is None:
            raise here.wrong(item, "a name, or a mapping with source")
        source = here.text(source_node)
        target_node = table.get("target") if table else None
        target = here.key("target").text(target_node) if target_node else source
        for part in table.entries if table else ():
            if part.key not in ("source", "target"):
                here.key(part.key).decide(part.at, "the file belongs to root and everybody may read it")
        _config(draft, item, (one.key, source, posixpath.join(folder, target)), here)


def _config(draft: Draft, item: Node, what: tuple[str, str, str], here: Spot) -> None:
    block, source, target = what
    declared = draft.shared.top.get(block)
    node = declared.get(source) if isinstance(declared, Table) else None
    top = Spot(f"{block}.{source}", here.ledger)
    if node is None:
        raise here.problem("unknown-name", item.at, f"there is no {shown(source)} in {block}")
    table = top.table(top.filled(node))
    file, content = table.get("file"), table.get("content")
    for part in table.entries:
        if part.key not in ("file", "content", "name"):
            top.key(part.key).refuse(part.at, "only file and content can be taken")
    if content is not None:
        draft.extend("files", entry(target, item.at, top.key("content").text(content)))
    elif file is not None:
        path = top.key("file").text(file)
        mount = Mount(type="bind", source=path, target=target, read_only=True, at=file.at)
        _bind(draft, item, mount, top.key("file"))


def _mount(node: Node, spot: Spot) -> Mount | None:
    """Return the long form of a volume; None when it was refused. Raises RefusedError."""
    return _long(node, spot) if isinstance(node, Table) else _short(node, spot)


def _short(node: Node, spot: Spot) -> Mount | None:
    parts = spot.text(node).split(":")
    if len(parts) == 1:
        return Mount(type="volume", source="", target=parts[0], read_only=False, at=node.at)
    if len(parts) > 3:  # noqa: PLR2004 -- source, target, mode
        raise spot.wrong(node, "source:target or source:target:mode")
    modes = parts[2].split(",") if len(parts) == 3 else []  # noqa: PLR2004
    for mode in modes:
        if mode not in _MODES:
            spot.refuse(node.at, f"the mode {shown(mode)} cannot be set")
    is_bind = parts[0].startswith((".", "/", "~"))
    return Mount(
        type="bind" if is_bind else "volume", source=parts[0], target=parts[1], read_only="ro" in modes, at=node.at
    )


def _long(table: Table, spot: Spot) -> Mount | None:
    def text(key: str) -> str:
        node = table.get(key)
        return spot.key(key).text(node) if node else ""

    for part in table.entries:
        if part.key == "consistency" or part.key.startswith("x-"):
            continue
        if part.key not in ("type", "source", "target", "read_only", "bind", "volume", "tmpfs"):
            spot.key(part.key).refuse(part.at, "it is no key of a volume")
        elif part.key in ("bind", "volume"):
            for option in spot.key(part.key).table(part.value).entries:
                if option.key not in ("create_host_path", "nocopy", "selinux"):
                    spot.key(part.key).key(option.key).refuse(option.at, "this option cannot be set")
    read_only = table.get("read_only")
    source = table.get("source")
    return Mount(
        type=text("type") or "volume",
        source=text("source"),
        target=text("target"),
        read_only=spot.key("read_only").truth(read_only) if read_only else False,
        at=source.at if source else table.at,
    )


def _is_special(draft: Draft, mount: Mount, spot: Spot) -> bool:
    """Whether a named volume is more than an empty place; what it is then has been refused."""
    declared = draft.shared.top.get("volumes")
    node = declared.get(mount.source) if isinstance(declared, Table) else None
    if node is None and mount.source:
        raise spot.problem("unknown-name", mount.at, f"there is no {shown(mount.source)} in volumes")
    top = Spot(f"volumes.{mount.source}", spot.ledger)
    special = False
    for part in top.table(node).entries if node else ():
        here = top.key(part.key)
        if part.key == "external" and here.truth(part.value):
            here.refuse(part.at, "a volume that exists before the run is not the run's own")
        elif part.key == "driver_opts" or (part.key == "driver" and here.text(part.value) != "local"):
            here.refuse(part.at, "volumes are plain folders of the run's own")
        else:
            continue
        special = True
    return special


def _named(draft: Draft, item: Node, mount: Mount, spot: Spot) -> None:
    if _is_special(draft, mount, spot):
        return
    _add_volume(draft, item, {"name": mount.source.lower(), "target": mount.target})
    if mount.read_only:
        spot.decide(item.at, "a volume that services share can be written by each of them")


def _add_volume(draft: Draft, item: Node, value: dict[str, Any]) -> None:
    old = draft.entries.get("volumes")
    listed = old.value.items if old and isinstance(old.value, Items) else ()
    draft.put("volumes", old.at if old else item.at, sequence((*listed, node_of(value, item.at)), item.at))


def _bind(draft: Draft, item: Node, mount: Mount, spot: Spot) -> None:
    places = draft.shared.places
    path = places.beside(mount.at, mount.source)
    if mount.source.startswith("~") or not places.is_inside(path):
        socket = mount.source.endswith("docker.sock")
        reason = "the engine of the machine is out of reach" if socket else "it lies outside the repository"
        spot.refuse(item.at, f"{shown(mount.source)} cannot be mounted: {reason}")
        return
    if not path.exists():
        spot.refuse(item.at, f"there is no {shown(mount.source)} in the repository")
        return
    text = places.small_text(path)
    written = places.written(path)
    if text is not None:
        draft.extend("files", entry(mount.target, item.at, FileText.of(text, written)))
    else:
        mode = {} if mount.read_only else {"read_only": False}
        _add_volume(draft, item, {"source": written, "target": mount.target, **mode})
    if not mount.read_only:
        spot.decide(item.at, "the service gets a copy: what it writes does not reach the repository")


def _tmpfs_mount(draft: Draft, item: Node, mount: Mount, spot: Spot) -> None:
    amount: str | int | None = None
    options = item.get("tmpfs") if isinstance(item, Table) else None
    for option in spot.key("tmpfs").table(options).entries if options else ():
        here = spot.key("tmpfs").key(option.key)
        if option.key == "size":
            amount = size(here, option.value)
        else:
            here.refuse(option.at, "this option of a tmpfs cannot be set")
    _add_tmpfs(draft, mount.target, amount, item.at, spot)


def _add_tmpfs(draft: Draft, path: str, amount: str | int | None, at: Position, spot: Spot) -> None:
    if not _is_path(path):
        spot.refuse(at, f"{shown(path)} is not an absolute path inside the container")
        return
    if not amount:
        spot.decide(at, f"a tmpfs has a size; it gets {_TMPFS_SIZE}")
    draft.extend("tmpfs", entry(path.rstrip("/"), at, amount or _TMPFS_SIZE))


def _is_path(path: str) -> bool:
    clean = posixpath.normpath(path)
    return path.startswith("/") and clean not in ("/", "//") and ".." not in path.split("/") and path.isprintable()
