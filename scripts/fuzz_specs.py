"""Feed mutated specs to the loader: no traceback, no hang, bounded memory.

Bytes and structures of the specs in tests/specs are mutated from a seed; each input is loaded in a worker process that
may use so much time and memory, and dies when it uses more. `python scripts/fuzz_specs.py --count 100000 --seed 1`
prints counts, and every input that raised, hung or grew; it exits 1 when there was one.
"""

# ruff: noqa: INP001, T201 -- a script that prints

from __future__ import annotations

import argparse
import copy
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 10
MEMORY = 1024 * 1024 * 1024
CHUNK = 500
LONGEST = 200_000
PIECES = (
    b"{{ ",
    b" }}",
    b"{{ vars.x }}",
    b"{{ captured.x }}",
    b"{% for i in range(9999) %}",
    b"{% endfor %}",
    b"{% if x %}",
    b"&a ",
    b"*a",
    b"<<: *a\n",
    b"!!binary ",
    b"%TAG ! x:\n",
    b"---\n",
    b"...\n",
    b"\t",
    b"\r\n",
    b"\x00",
    b"\xff",
    b"'",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"- ",
    b"? ",
    b"|\n",
    b">-\n",
    b"#",
    b'"',
    b"\\ud800",
    b"[" * 5000,
    b"{a: " * 500,
    b"9" * 400,
    b"1e999",
    b".nan",
    b"~",
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1s",
    b"99999999h",
    b"matrix: {a: [1, 2], b: ['{{ seed }}']}\n",
    b"'{{ range(10000) }}'",
    b"(a+)+$",
    b"../../etc/passwd",
    b"\xe2\x80\xa8",
)
VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x",
    "1s",
    "{{ vars.x }}",
    "{{ matrix.a }}",
    "{{ captured.x }}",
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {"a": {"a": {}}}},
    ["x", "x"],
    "../..",
    "\u2028",
    "5%",
    "64MiB",
    "1mbit",
    "[",
    "*",
    "db",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzz and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[str] = []
    chunks = [
        (asked.seed, start, min(CHUNK, asked.count - start)) for start in range(0, asked.count, CHUNK)
    ]  # fmt: skip
    # A fresh process for each chunk: memory that grows from one input to the next is bounded too.
    with multiprocessing.get_context("spawn").Pool(asked.jobs, maxtasksperchild=1) as pool:
        for found, failed in pool.imap_unordered(_chunk, chunks):
            counts.update(found)
            failures += failed
    print(f"{asked.count} inputs, seed {asked.seed}, {time.monotonic() - began:.0f} s")
    for outcome, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"  {count:8} {outcome}")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


def _chunk(task: tuple[int, int, int]) -> tuple[Counter[str], list[str]]:
    """Load the inputs of one chunk under the bounds of time and memory."""
    sys.path.insert(0, str(ROOT))
    from cleanroom.spec.load import load_spec  # noqa: PLC0415 -- in the worker only
    from cleanroom.spec.problem import render_problems  # noqa: PLC0415

    seed, start, count = task
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _hung)
    counts: Counter[str] = Counter()
    failures: list[str] = []
    seeds = sorted((ROOT / "tests" / "specs").rglob("*.cleanroom.y*ml*"))
    with tempfile.TemporaryDirectory() as folder:
        for index in range(start, start + count):
            rng = random.Random(f"{seed}/{index}")  # noqa: S311 -- repeatable on purpose
            data = mutated(rng.choice(seeds).read_bytes(), rng)
            path = Path(folder) / ("x.cleanroom.yaml.j2" if rng.random() < 0.2 else "x.cleanroom.yaml")  # noqa: PLR2004
            path.write_bytes(data)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                loaded = load_spec(path, root=Path(folder), variables={"v": "1"}, environment={"CLEANROOM_X": "y"})
                render_problems(loaded.problems).encode("utf-8")
                counts["valid" if loaded.suites else f"problem: {loaded.problems[0].code}"] += 1
                if not loaded.suites and not loaded.problems:
                    failures.append(f"input {index} of seed {seed}: neither a suite nor a problem")
            except Exception:  # noqa: BLE001 -- what this is looking for
                counts["FAILED"] += 1
                failures.append(f"input {index} of seed {seed}:\n{traceback.format_exc()[-2000:]}\n{data[:300]!r}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    return counts, failures


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return a spec with some bytes, or some parts of its structure, changed."""
    if rng.random() < 0.5:  # noqa: PLR2004 -- half of each
        return _bytes(data, rng)
    return _structure(data, rng) or _bytes(data, rng)


def _bytes(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        end = min(len(out), at + rng.choice((0, 1, 3, 20, 200)))
        choice = rng.randrange(5)
        if choice == 0:
            out[at:at] = rng.choice(PIECES)
        elif choice == 1:
            del out[at:end]
        elif choice == 2:  # noqa: PLR2004
            out[at:at] = out[at:end] * rng.choice((1, 2, 50))
        elif choice == 3:  # noqa: PLR2004
            out[at:end] = rng.randbytes(end - at)
        else:
            out[at:end] = rng.choice(PIECES)
    return bytes(out[:LONGEST])


def _structure(data: bytes, rng: random.Random) -> bytes:
    """Return the spec with values and keys of its tree exchanged; nothing when it has no tree."""
    from cleanroom.spec.document import UnreadableError, decode, plain, read_document  # noqa: PLC0415
    from cleanroom.spec.problem import ProblemLog  # noqa: PLC0415
    from cleanroom.spec.yaml_text import yaml_text  # noqa: PLC0415

    log = ProblemLog("x")
    try:
        tree = plain(read_document(decode(data, log), log))
    except UnreadableError:
        return b""
    for _ in range(rng.randint(1, 4)):
        places = list(_places(tree))
        if not places:
            break
        parent, key = rng.choice(places)
        other, at = rng.choice(places)
        choice = rng.randrange(4)
        if choice == 0:
            parent[key] = rng.choice(VALUES)
        elif choice == 1:
            parent.pop(key)
        elif choice == 2:  # noqa: PLR2004
            part = copy.deepcopy(other[at])  # a part inside itself would have no end
            parent[key] = rng.choice((part, [part], repr(part)[:50]))
        elif isinstance(parent, dict):
            parent[rng.choice((f"{key}x", "", "vars", "matrix", "{{ x }}", "<<"))] = parent.pop(key)
    try:
        return yaml_text(tree).encode()[:LONGEST]
    except (RecursionError, ValueError):
        return b""


def _places(node: object) -> Iterator[tuple[dict | list, object]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield node, key  # type: ignore[misc]
        yield from _places(child)


def _hung(*_: object) -> None:
    raise TimeoutError(f"longer than {SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
