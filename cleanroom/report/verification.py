"""Whether a report folder says what its own journal says: sums, verdicts and digests, compared without any I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cleanroom.canonical import Json
from cleanroom.report.digests import SUMS
from cleanroom.text import one_line

_SUM = re.compile(r"([0-9a-f]{64})  (.+)")
_STARS = re.compile(r"\*{3,}")
_MOST = 50
_SHOWN = 120
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One difference: in which file, where in it, what it says and what it should say."""

    file: str
    where: str = ""
    says: str
    should: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying came to: differences, what could not be told, and what was looked at."""

    discrepancies: tuple[Discrepancy, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be recomputed, one line each."""
    looked_at: tuple[str, ...] = field(default=())


def check_sums(listed: str, files: Mapping[str, bytes]) -> tuple[Discrepancy, ...]:
    """Compare `SHA256SUMS` with the bytes of the folder's files, by name: altered, missing and unlisted ones."""
    found: list[Discrepancy] = []
    seen: set[str] = set()
    for number, line in enumerate(listed.splitlines(), start=1):
        match = _SUM.fullmatch(line)
        if match is None or match[2] in seen:
            wrong = "a name that stands there twice" if match else "no line of sums"
            found.append(
                Discrepancy(file=SUMS, where=f"line {number}", says=line, should=f"a sum and a name, not {wrong}")
            )
            continue
        wanted, name = match[1], match[2]
        seen.add(name)
        actual = hashlib.sha256(files[name]).hexdigest() if name in files else ABSENT
        if actual != wanted:
            found.append(Discrepancy(file=name, where="sha256", says=actual, should=wanted))
    unlisted = sorted(name for name in files if name not in seen and name != SUMS)
    found += [Discrepancy(file=name, where="sha256", says="a file", should="listed in SHA256SUMS") for name in unlisted]
    return tuple(found)


def check_document(name: str, there: bytes | None, again: str, *, masked: bool = False) -> tuple[Discrepancy, ...]:
    """Compare a file of the report with what the journal makes of it; JSON is compared value by value.

    With `masked`, a run of asterisks equals another: a report writes three, a journal as many as the secret had bytes.
    """
    if there is None:
        return (Discrepancy(file=name, says=ABSENT, should="the file, as the journal makes it"),)
    text = there.decode("utf-8", "backslashreplace")
    if _same(text, again, masked=masked):
        return ()
    if not name.endswith(".json"):
        return _first_line(name, text, again, masked=masked)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as err:
        return (Discrepancy(file=name, says=f"no JSON: {err}", should="the file, as the journal makes it"),)
    found = [
        Discrepancy(file=name, where=path, says=says, should=should)
        for path, says, should in _differences(document, json.loads(again), "")
        if not _same(says, should, masked=masked)
    ]
    return tuple(found) or _first_line(name, text, again, masked=masked)


def _same(one: str, other: str, *, masked: bool) -> bool:
    return one == other or (masked and _STARS.sub("***", one) == _STARS.sub("***", other))


def _first_line(name: str, text: str, again: str, *, masked: bool) -> tuple[Discrepancy, ...]:
    one, other = text.split("\n"), again.split("\n")
    for number in range(max(len(one), len(other))):
        says = one[number] if number < len(one) else ABSENT
        should = other[number] if number < len(other) else ABSENT
        if not _same(says, should, masked=masked):
            return (Discrepancy(file=name, where=f"line {number + 1}", says=says, should=should),)
    return ()


def _differences(there: Json, again: Json, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield (path, says, should) of every value that differs; report files are a few levels deep."""
    if isinstance(there, dict) and isinstance(again, dict):
        for key in [*again, *(key for key in there if key not in again)]:
            inner = f"{path}.{key}" if path else key
            if key not in there or key not in again:
                yield inner, _shown(there, key), _shown(again, key)
            else:
                yield from _differences(there[key], again[key], inner)
    elif isinstance(there, list) and isinstance(again, list) and len(there) == len(again):
        for index, (one, other) in enumerate(zip(there, again, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif json.dumps(there, sort_keys=True) != json.dumps(again, sort_keys=True):
        yield path, json.dumps(there, ensure_ascii=False), json.dumps(again, ensure_ascii=False)


def _shown(holder: Mapping[str, Json], key: str) -> str:
    return json.dumps(holder[key], ensure_ascii=False) if key in holder else ABSENT


def verification_text(found: Verification) -> str:
    """Return the result as lines that are safe to print, the differences first."""
    shown = [
        f"{one_line(d.file)}{f' {one_line(d.where)}' if d.where else ''}: "
        f"says {one_line(d.says, _SHOWN) or 'nothing'}, should be {one_line(d.should, _SHOWN) or 'nothing'}"
        for d in found.discrepancies[:_MOST]
    ]
    hidden = len(found.discrepancies) - len(shown)
    shown += [f"and {hidden} more differences"] if hidden else []
    shown += [f"not verified: {one_line(line, 500)}" for line in found.unknown]
    count = len(found.discrepancies)
    if count:
        shown.append(f"differs: {count} difference{'s' if count > 1 else ''}")
    elif found.unknown:
        shown.append("inconclusive: no difference, and not all could be recomputed")
    else:
        shown.append(f"verified: {', '.join(found.looked_at)}")
    return "\n".join(shown) + "\n"
