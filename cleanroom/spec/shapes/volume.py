"""The shapes of what a container is given: volumes and capabilities (spec.md section 2)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from cleanroom.spec.capability import ALLOWED, REFUSED
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, boolean, fixed_text, pattern_text
from cleanroom.spec.volume import BindVolume, NamedVolume, Volume

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

container_path = pattern_text(
    r"/[^\x00-\x1f]*", "an absolute path inside the container", example="/srv", runtime=True
)  # fmt: skip
_MOUNTED = "an absolute path inside the container, other than /"
_volume_name = pattern_text(
    r"[a-z0-9](?:[a-z0-9_.-]{0,61}[a-z0-9])?", "a name of lower-case letters, digits, hyphens, dots and underscores",
    example="data",
)  # fmt: skip


def _target(node: Node, place: Place) -> str:
    value = fixed_text.read(node, place)
    clean = posixpath.normpath(value)
    if not value.startswith("/") or clean in ("/", "//") or ".." in value.split("/") or not value.isprintable():
        raise place.wrong(node, _MOUNTED, code="wrong-value")
    return clean


target = Shape(_target, _MOUNTED, {"type": "string", "pattern": "^/.*[^/]"}, example="/fixtures")
_VOLUME = Record(
    place="services.<name>.volumes[]",
    doc="A copy of a file or folder of the repository (`source`), or a volume of the environment (`name`).",
    keys={
        "source": Key(
            fixed_text, "A file or folder inside the repository, relative to the spec. The service sees a copy.",
            example="./fixtures", errors=("missing-path", "outside"),
        ),
        "name": Key(
            _volume_name, "A volume that is fresh for each environment; services that name the same one share it."
        ),
        "target": Key(target, "Where the service finds it, absolute.", errors=("duplicate-target",)),
        "read_only": Key(
            boolean, "Whether the service can only read its copy.", default="true", example="false"
        ),
    },
    required=("target",),
    exactly_one=("source", "name"),
    needs={"read_only": "source"},
)  # fmt: skip


def _volume(fields: Fields) -> Volume:
    values = fields.values
    kind, _ = fields.only(_VOLUME.exactly_one)
    if kind == "source":
        return BindVolume(**values, at=fields.node.at)
    values.pop("read_only", None)  # reported: it needs a source
    return NamedVolume(**values, at=fields.node.at)


volume = _VOLUME.into(_volume)
"""One volume of a service."""


def _capability(node: Node, place: Place) -> str:
    value = fixed_text.read(node, place)
    if value in ALLOWED:
        return value
    plain = value.upper().removeprefix("CAP_")
    if plain in REFUSED:
        message = f"no service can have the capability {shown(value)}: {REFUSED[plain]}"
        place.log.report("wrong-value", node.at, message)
        raise RefusedError
    close = plain if plain in ALLOWED else nearest(plain, ALLOWED)
    hint = f"did you mean {close}?" if close else ""
    raise place.wrong(node, "a Linux capability such as NET_BIND_SERVICE", code="wrong-value", suggestion=hint)


capability = Shape(
    _capability, "a Linux capability such as NET_BIND_SERVICE", {"enum": list(ALLOWED)},
    example="NET_BIND_SERVICE", choices=ALLOWED,
)  # fmt: skip
"""A capability that stays inside a container."""
