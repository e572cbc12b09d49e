"""`validate`: one spec from a cold start, and 200 specs in one process.

The first ratio is the time of a cold `cleanroom validate` to that of a Python that starts and does nothing. The second
is the time per spec of 200 specs to that of merely parsing them with the YAML library that the loader stands on: what
the language costs beyond its syntax. Needs no engine. Exits 1 when a cold validation of one spec takes more than 0.3 s.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

from ruamel.yaml import YAML

from cleanroom.cli.main import main as cleanroom

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "examples" / "quickstart" / "quickstart.cleanroom.yaml"
SPECS = 200
COLD = 0.3


def seconds_of(command: tuple[str, ...], times: int) -> float:
    """Return the median seconds of a process, its first run left out."""
    taken = []
    for _ in range(times + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def copies(folder: Path) -> None:
    """Write 200 specs beside the build contexts that they name, each with a name of its own."""
    for service in ("api", "db"):
        (folder / service).symlink_to(SPEC.parent / service)
    text = SPEC.read_text(encoding="utf-8")
    assert text.count("\n  name: quickstart\n") == 1
    for number in range(SPECS):
        name = text.replace("\n  name: quickstart\n", f"\n  name: s{number}\n")
        (folder / f"s{number}.cleanroom.yaml").write_text(name, encoding="utf-8")


def many() -> tuple[float, float]:
    """Return the seconds of validating 200 specs, and of parsing them."""
    with tempfile.TemporaryDirectory(dir=SPEC.parent.parent) as name:
        folder = Path(name)
        copies(folder)
        said = io.StringIO()
        began = time.perf_counter()
        with redirect_stdout(said):
            code = cleanroom(["validate", str(folder), "--root", str(SPEC.parent.parent)])
        validated = time.perf_counter()
        assert code == 0, said.getvalue()
        assert said.getvalue().count(": valid (") == SPECS
        for path in folder.glob("*.cleanroom.yaml"):
            YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        parsed = time.perf_counter()
    return validated - began, parsed - validated


def main() -> int:
    """Measure both, print them, and say whether a cold start is short enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    times: int = parser.parse_args().times
    cold = seconds_of((sys.executable, "-m", "cleanroom.cli.main", "validate", str(SPEC)), times)
    nothing = seconds_of((sys.executable, "-c", "pass"), times)
    print(f"one spec, cold, median of {times}: {cold:.3f} s, {cold / nothing:.1f} times a Python that does nothing")
    validated, parsed = many()
    print(
        f"{SPECS} specs in one process: {validated:.2f} s, {validated / SPECS * 1000:.1f} ms a spec, "
        f"{validated / parsed:.2f} times their YAML alone"
    )
    return 0 if cold <= COLD else 1


if __name__ == "__main__":
    sys.exit(main())
