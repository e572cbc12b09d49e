"""The first difference between what two iterations came to: their steps, faults and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from cleanroom.canonical import Json
from cleanroom.trace.divergence import ABSENT, Classification, Divergence, shown_text
from cleanroom.trace.matching import exact_text
from cleanroom.trace.tree import SEPARATOR

_NAMES = ("name", "id", "rule")  # the keys that name an item of a list, the first that it has


def outcome_divergence(left: Json, right: Json, *, runs: tuple[int, int] = (0, 1)) -> Divergence | None:
    """Return where two outcomes first part, in order of the left one, or None for equal ones.

    An outcome is nested objects and lists; items of a list are matched by their `name`, `id` or `rule` where these are
    unique, else by position. The path names them (`scenario checkout > step place`), the attribute what differs there.
    `runs` are the indexes of the two iterations.
    """
    found = _first(left, right, (), "")
    if found is None:
        return None
    path, attribute, one, other = found
    return Divergence(
        left=runs[0],
        right=runs[1],
        path=SEPARATOR.join(path),
        attribute=attribute,
        left_value=one,
        right_value=other,
        classification=_classification(path),
    )


def _first(
    left: Json, right: Json, path: tuple[str, ...], attribute: str
) -> tuple[tuple[str, ...], str, str, str] | None:
    """Return (path, attribute, left, right) of the first difference; outcomes are a few levels deep."""
    if exact_text(left) == exact_text(right):
        return None
    if isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            inner = f"{attribute}.{name}" if attribute else name
            if name not in left or name not in right:
                return path, inner, _shown(left, name), _shown(right, name)
            found = _first(left[name], right[name], path, inner)
            if found is not None:
                return found
    if isinstance(left, list) and isinstance(right, list):
        return _first_of_lists(left, right, path, attribute)
    return path, attribute, shown_text(left), shown_text(right)


def _first_of_lists(
    left: list[Json], right: list[Json], path: tuple[str, ...], attribute: str
) -> tuple[tuple[str, ...], str, str, str] | None:
    noun = attribute.rpartition(".")[2].removesuffix("s") or "item"
    one, other = _named(left), _named(right)
    if one is None or other is None:
        one, other = (dict(zip(map(str, range(len(items))), items, strict=True)) for items in (left, right))
    for name in [*one, *(name for name in other if name not in one)]:
        below = (*path, f"{noun} {name}")
        if name not in one or name not in other:
            return below, "", _shown(one, name), _shown(other, name)
        found = _first(one[name], other[name], below, "")
        if found is not None:
            return found
    return path, attribute, ", ".join(one), ", ".join(other)  # the same items in another order


def _named(items: Sequence[Json]) -> dict[str, Json] | None:
    """Return the items by name, or None where they have none or share one."""
    named: dict[str, Json] = {}
    for item in items:
        name = next((item[key] for key in _NAMES if key in item), None) if isinstance(item, dict) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = item
    return named


def _shown(values: dict[str, Json], name: str) -> str:
    return shown_text(values[name]) if name in values else ABSENT


def _classification(path: tuple[str, ...]) -> Classification:
    return "step" if any(part.startswith("step ") for part in path) else "verdict"
