"""Which images a Dockerfile is built from: enough of its grammar to bring them before the build."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cleanroom.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(\S+)\s*")
_VARIABLE: Final = re.compile(r"\\(\$)|\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")
_COPY_FROM: Final = re.compile(r"--from=(\S+)")
_SCRATCH: Final = "scratch"


@dataclass(slots=True)
class _Stage:
    name: str
    base: str
    images: list[str] = field(default_factory=list)


def base_images(
    content: str, *, args: Mapping[str, str], target: str = "", name: str = "Dockerfile"
) -> tuple[str, ...]:
    """Return the images that building `target` (or all) needs, in order of appearance, each once.

    FROM lines with `ARG` defaults overridden by `args`, and `COPY --from` of images; stages of the file and `scratch`
    are none. Raises `EngineError` with `name` and the line of a FROM that names nothing.
    """
    stages: list[_Stage] = []
    known: dict[str, str] = {}
    for line, words in _instructions(content):
        keyword, rest = words[0].upper(), words[1:]
        if keyword == "ARG" and not stages:
            known.update(_arguments(rest, known, args))
        elif keyword == "FROM":
            stages.append(_stage(rest, known, f"{name}:{line}"))
        elif keyword in ("COPY", "ADD") and stages:
            found = (match[1] for word in rest if (match := _COPY_FROM.fullmatch(word)))
            stages[-1].images += [source for source in found if not source.isdigit()]
    if not stages:
        raise EngineError(f"{name}: there is no FROM in it", remedy="begin the Dockerfile with FROM and an image")
    return _outside(_until(stages, target))


def _until(stages: list[_Stage], target: str) -> list[_Stage]:
    """Return the stages up to the target: the classic builder builds each of them."""
    for index, stage in enumerate(stages):
        if target and target.lower() in (stage.name, str(index)):
            return stages[: index + 1]
    return stages


def _outside(stages: list[_Stage]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    names: set[str] = set()
    for stage in stages:
        for image in (stage.base, *stage.images):
            if image.lower() not in names and image.lower() != _SCRATCH:
                found[image] = None
        if stage.name:
            names.add(stage.name)
    return tuple(found)


def _stage(words: list[str], known: Mapping[str, str], where: str) -> _Stage:
    rest = [word for word in words if not word.startswith("--")]
    base = _substitute(rest[0], known) if rest else ""
    if not base:
        said = " ".join(words)
        raise EngineError(
            f"{where}: FROM {said} names no image", remedy="give its ARG a default, or a value in `build.args`"
        )
    named = len(rest) == 3 and rest[1].upper() == "AS"  # noqa: PLR2004 - image AS name
    return _Stage(name=rest[2].lower() if named else "", base=base)


def _arguments(words: list[str], known: Mapping[str, str], args: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for word in words:
        key, has_default, default = word.partition("=")
        if key in args:
            yield key, args[key]
        elif has_default:
            yield key, _substitute(default.strip("\"'"), known)


def _substitute(word: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        found, operator, other = known.get(match[2] or match[3], ""), match[4] or "", match[5] or ""
        if operator.endswith("-"):
            return found or _substitute(other, known)
        if operator.endswith("+"):
            return _substitute(other, known) if found else ""
        return found

    return _VARIABLE.sub(value, word.strip("\"'"))


def _instructions(content: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, words) of each instruction: continuation lines joined, comments and empty lines left out."""
    escape, at_top = "\\", True
    pending, began = "", 0
    for number, raw in enumerate(content.removeprefix("\ufeff").splitlines(), start=1):
        line = raw.strip()
        directive = _DIRECTIVE.fullmatch(line) if at_top else None
        if directive:
            escape = directive[2] if directive[1].lower() == "escape" else escape
            continue
        at_top = False
        if not line or line.startswith("#"):
            continue
        began = began or number
        if line.endswith(escape):
            pending += line[: -len(escape)] + " "
            continue
        words = (pending + line).split()
        pending, start, began = "", began, 0
        yield start, words
    if pending.strip():
        yield began, pending.split()
