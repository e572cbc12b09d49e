"""Block scalars (`|` and `>`): their lines as they are, and the header that makes them mean the same elsewhere."""

from __future__ import annotations

from cleanroom.spec.format.tree import Leaf

STEP = 2


def block_scalar(leaf: Leaf, source: str, column: int) -> tuple[str, tuple[str, ...]]:
    """Return the header of a block scalar and its lines without their indentation.

    `source` is the file, `column` that of the key or dash to which the scalar belongs: an indentation indicator counts
    from there.
    """
    header, _, body = source[leaf.begin : leaf.end].partition("\n")
    header = header.split("#")[0]
    lines = body.split("\n")
    indicated = [int(character) for character in header if character.isdigit()]
    base = column + indicated[0] if indicated else _found(lines)
    if lines and not lines[-1].strip(" ") and len(lines[-1]) <= base:
        lines.pop()  # what follows the last line break belongs to the next token
    # A line of spaces only is empty up to the indentation; what goes beyond is text.
    moved = [line[base:] for line in lines]
    ends = leaf.value.endswith("\n")
    if "+" in header and ends:
        chomp = "+"
    else:
        chomp = "-" if leaf.value and not ends else ""
        while moved and not moved[-1]:
            moved.pop()
    first = next((line for line in moved if line), "")
    return f"{leaf.style}{STEP if first.startswith(' ') else ''}{chomp}", tuple(moved)


def _found(lines: list[str]) -> int:
    """Return the indentation as readers find it: the widest of the lines up to the first that is not blank."""
    base = 1
    for line in lines:
        base = max(base, len(line) - len(line.lstrip(" ")))
        if line.strip(" "):
            break
    return base
