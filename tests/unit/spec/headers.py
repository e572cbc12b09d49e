"""What an invalid spec says at its top about its own problems, and how to write it anew after a look at each message.

python -m tests.unit.spec.headers tests/specs/invalid/x.cleanroom.yaml …
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cleanroom.spec.load import load_spec

ROOT = Path(__file__).parents[2] / "specs"
_LINE = re.compile(r"^(?:#|\{#) expect: (\S+) at (\d+):(\d+): (.*?)(?: #\})?$", re.MULTILINE)


def declared(path: Path) -> list[tuple[str, int, int, str]]:
    """Return what the file says of itself: code, line, column and message of each problem, in its order."""
    text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    return [(code, int(line), int(column), message) for code, line, column, message in _LINE.findall(text)]


def found(path: Path) -> list[tuple[str, int, int, str]]:
    """Return what the loader says of the file, in its order; a place in another file names it in the message."""
    problems = load_spec(path, root=ROOT, variables={}, environment={}).problems
    own = path.relative_to(ROOT).as_posix()
    return [
        (p.code, p.at.line, p.at.column, p.message + ("" if p.at.file == own else f" [{p.at.file}]")) for p in problems
    ]


def rewrite(path: Path) -> None:
    """Write the header of the file from what the loader says, which moves with the number of its lines."""
    lines = path.read_bytes().split(b"\n")
    body = [line for line in lines if not re.match(rb"(?:#|\{#) expect: ", line)]
    opening, closing = (b"{# ", b" #}") if path.suffix == ".j2" else (b"# ", b"")
    count = len(lines) - len(body)
    for _ in range(3):  # the number of problems settles at once; their lines move with it
        header = [b"%bexpect: x at 1:1: x%b" % (opening, closing)] * count
        path.write_bytes(b"\n".join([*header, *body]))
        problems = found(path)
        if len(problems) == count:
            break
        count = len(problems)
    header = [f"expect: {code} at {line}:{column}: {text}".encode() for code, line, column, text in problems]
    path.write_bytes(b"\n".join([*(opening + line + closing for line in header), *body]))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        rewrite(Path(argument).resolve())
