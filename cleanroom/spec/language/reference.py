"""`docs/spec.md`: the language for readers, made of its records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cleanroom.spec.comparator import COMPARISONS
from cleanroom.spec.language import prose
from cleanroom.spec.language.codes import CHAPTERS
from cleanroom.spec.language.example import example_of
from cleanroom.spec.language.reading import problems_of
from cleanroom.spec.language.schema import slug
from cleanroom.spec.language.vocabulary import COMPARATOR, FIGURE, Variants, Word, outline, parts_of, variants_in
from cleanroom.spec.lint.registry import RULES
from cleanroom.spec.shapes.record import Record
from cleanroom.text import code_span

if TYPE_CHECKING:
    from cleanroom.spec.shapes.record import Key

_FAULT = "fault"
"""The key of a fault's mapping that names its kind (spec.md section 8)."""
_OFTEN = 10
"""A key that more faults than this have is described once for all of them."""
_OPERANDS = {
    "value": "a value",
    "ordered": "a number, a duration or text",
    "pair": "`[low, high]`",
    "list": "a list",
    "text": "text",
    "regex": "a regular expression",
    "bool": "`true` or `false`",
    "type": "the name of a type",
    "length": "a whole number, or comparators",
    "comparator": "comparators",
    "approx": "`{value, tolerance}`",
}


def render_reference(root: Record) -> str:
    """Return the documentation of the language that `root` reads, in Markdown; the same records give the same text."""
    return "\n".join([prose.INTRODUCTION, prose.TEMPLATES, *_chapters(root), *_tables()])


def _tables() -> Iterator[str]:
    yield prose.COMPARATORS + "| comparator | operand | holds when the value |\n|---|---|---|"
    yield from (f"| `{name}` | {_OPERANDS[row.operand]} | {_cell(row.doc)} |" for name, row in COMPARISONS.items())
    yield f"\n{prose.JUDGING}"
    yield "## Error types\n\nWhat `allow`, `retry.on` and `expect.error_type` of a step name.\n"
    yield "| type | the step |\n|---|---|"
    yield from (f"| `{name}` | {_cell(doc)} |" for name, doc in prose.ERROR_TYPES.items())
    yield f"\n{prose.SPANS}"
    yield "## Lint\n\nWhat `lint` finds in specs that are valid.\n\n| rule | level | finds | why | what to do |"
    yield "|---|---|---|---|---|"
    for rule in RULES.values():
        cells = (_cell(text) for text in (rule.summary, rule.why, rule.remedy))
        yield f"| `{rule.name}` | {rule.level} | {' | '.join(cells)} |"
    yield f"\n{prose.ALLOWING}"
    yield "## Problems\n\nEvery problem of a spec has one of these codes; `validate` prints all problems of a file."
    for chapter, codes in CHAPTERS.items():
        yield f"\n### {chapter}\n\n| code | is | means | what to do |\n|---|---|---|---|"
        for code, row in codes.items():
            anchor = f'<a id="{code}"></a>'
            yield f"| {anchor}`{code}` | {_cell(row.summary)} | {_cell(row.meaning)} | {_cell(row.remedy)} |"
    yield ""


def _chapters(root: Record) -> Iterator[str]:
    """Yield a chapter for every key of the file that has keys of its own, then the faults by family."""
    kinds = [variants for variants in variants_in(root) if variants.discriminator == _FAULT]
    faults = {id(record) for variants in kinds for record in variants.records.values()}
    yield "## The file\n"
    yield from _body(root)
    sections: dict[str, list[Record]] = {name: [] for name in root.keys}
    for record, chapter in _chapter_of(root):
        if record is not root and id(record) not in faults and not record.place.startswith(COMPARATOR):
            sections[chapter].append(record)
    for chapter, records in sections.items():
        if records:
            yield from _chapter(chapter, root.keys[chapter], records)
    if kinds:
        yield from _faults(kinds[0])


def _chapter_of(root: Record) -> Iterator[tuple[Record, str]]:
    """Yield each record with the key of the file under which it is documented."""
    chapter = next(iter(root.keys))
    for record in outline(root):
        # Records without a path of their own stand where they are first used.
        path = record.place.split(".")[0].removesuffix("[]")
        chapter = path if path in root.keys else chapter
        yield record, chapter


def _chapter(name: str, key: Key, records: list[Record]) -> Iterator[str]:
    itself = next((record for record in records if record.place == name), None)
    anchor = f'<a id="{slug(name)}"></a>' if itself else ""
    yield f"## {anchor}`{name}`\n"
    if itself is None or not itself.doc:
        yield f"{key.doc}\n"
    if itself:
        yield from _body(itself)
    for record in records:
        if record is not itself:
            yield from _section(record)


def _section(record: Record) -> Iterator[str]:
    yield f'### <a id="{slug(record.place)}"></a>`{record.place}`\n'
    yield from _body(record)


def _body(record: Record) -> Iterator[str]:
    if record.doc:
        yield f"{record.doc}\n"
    notes = list(_together(record))
    if notes:
        yield "\n".join(f"- {note}" for note in notes) + "\n"
    judging = record.place.startswith(FIGURE)
    own = {name: key for name, key in record.keys.items() if not judging or name not in COMPARISONS}
    if judging:
        yield f"Comparators: {', '.join(f'`{name}`' for name in record.keys if name in COMPARISONS)}.\n"
    yield from _keys(Word(record=record, name=name, key=key) for name, key in own.items())


def _together(record: Record) -> Iterator[str]:
    if record.exactly_one:
        yield f"Exactly one of {_listed(record.exactly_one)}."
    if record.at_least_one:
        yield f"At least one of {_listed(record.at_least_one)}."
    for group in record.at_most_one:
        yield f"At most one of {_listed(group)}."
    for name, needed in record.needs.items():
        yield f"`{name}` needs `{needed}` beside it."
    if record.not_empty:
        yield "At least one key."
    for name, names in record.names_with.items():
        yield f"With `{name}`, templates inside know {_listed(sorted(names))}."
    if record.names:
        yield f"Templates inside know {_listed(sorted(record.names))}."


def _keys(words: Iterator[Word]) -> Iterator[str]:
    yield "| key | type | default | example | what it does | problems |\n|---|---|---|---|---|---|"
    for word in words:
        key, name = word.key, f"`{word.name}`"
        default = code_span(key.default) if key.default else "**required**" if _required(word) else ""
        example = code_span(example_of(key))
        doc = _cell(key.doc) + (" *Run later.*" if key.later else "")
        problems = ", ".join(f"[{code}](#{code})" for code in problems_of(word))
        yield f"| {name} | {_type(key)} | {default} | {example} | {doc} | {problems} |"
    yield ""


def _required(word: Word) -> bool:
    return word.name in word.record.required


def _type(key: Key) -> str:
    """Return what a key takes, in words, with links to the mappings that are among it."""
    links = []
    for part in parts_of(key.shape):
        if isinstance(part, Variants):
            links.append("[a fault](#faults)" if part.discriminator == _FAULT else f"by `{part.discriminator}`")
        elif not part.place.startswith(COMPARATOR):
            links.append(f"[`{part.place}`](#{slug(part.place)})")
    takes = _cell(key.shape.words).replace("comparators", "[comparators](#comparators)", 1)
    unique = ", ".join(dict.fromkeys(links))
    if unique and takes.endswith("a mapping"):
        return takes.removesuffix("a mapping") + unique
    return f"{takes}: {unique}" if unique else takes


def _faults(kinds: Variants) -> Iterator[str]:
    """Yield the chapter of faults: the keys that they share, then each family's faults with what is their own."""
    shared = _shared(kinds)
    notes = [note for record in kinds.records.values() for note in _notes(record, shared, own=False)]
    yield "## Faults\n\n`fault` names one of those below. Keys that faults share; each says which of them it takes:\n"
    yield "\n".join(f"- {note}" for note in dict.fromkeys(notes)) + "\n"
    # What is required of one fault and not of another is said with each.
    free = Record(place="", keys={word.name: word.key for word in shared})
    yield from _keys(Word(record=free, name=word.name, key=word.key) for word in shared)
    family = ""
    for name, record in kinds.records.items():
        if name.partition(".")[0] != family:
            family = name.partition(".")[0]
            yield f"### The family `{family}`\n"
        yield f'#### <a id="{slug(record.place)}"></a>`{name}`\n'
        if record.doc:
            yield f"{record.doc}\n"
        named = {key: value for key, value in record.keys.items() if key != kinds.discriminator}
        own = {key: value for key, value in named.items() if not _is_shared(key, value, shared)}
        taken = [f"`{key}`" + " (required)" * (key in record.required) for key in named if key not in own]
        yield (
            "\n".join(f"- {note}" for note in (f"Takes {', '.join(taken)}.", *_notes(record, shared, own=True))) + "\n"
        )
        if own:
            yield from _keys(Word(record=record, name=key, key=value) for key, value in own.items())


def _shared(kinds: Variants) -> tuple[Word, ...]:
    """Return the keys that several faults have, each once: of each name the form that most of them have."""
    rows = [(name, key) for record in kinds.records.values() for name, key in record.keys.items()]
    often = Counter(rows)
    first = next(iter(kinds.records.values()))
    most = {name: max((row for row in often if row[0] == name), key=often.__getitem__) for name, _ in rows}
    return tuple(Word(record=first, name=name, key=row[1]) for name, row in most.items() if often[row] > _OFTEN)


def _is_shared(name: str, key: Key, shared: tuple[Word, ...]) -> bool:
    return any(word.name == name and word.key == key for word in shared)


def _notes(record: Record, shared: tuple[Word, ...], *, own: bool) -> list[str]:
    """Return how the keys of a fault stand together: what is its own to say, or what is said of shared keys once."""
    names = {word.name for word in shared}
    return [note for note in _together(record) if (set(re.findall(r"`([^`]*)`", note)) <= names) is not own]


def _listed(names: tuple[str, ...] | list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _cell(text: str) -> str:
    """Return Markdown of ours as it may stand in a table's cell; placeholders such as `<name>` are no tags."""
    flat = " ".join(text.split()).replace("|", "\\|")
    outside = re.split(r"(`[^`]*`)", flat)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in outside)
