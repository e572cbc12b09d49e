"""Bad input to a whole run: a clear message, the right exit code, reports all the same, nothing left behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from junitparser import JUnitXml

sys.path.insert(0, str(Path(__file__).parent))
from cells import drop_cache
from runs import EMIT, IMAGE, Ran, cleanroom, files, findings, line_of, owned_by, read, write

SPEC = """
cleanroom: 1
meta: {name: NAME}
services:
  box:
SERVICE
scenarios:
  - name: it works
    steps:
      - {name: say, exec: {service: box, command: [echo, hi]}}
expect: {hermeticity: {egress: none, leaks: none}}
determinism: {iterations: 1}
"""
BAD_SERVICES = {
    "missing": "    image: nowhere.invalid/no-such-image:1",
    "build": "    build: {context: ./broken}",
    "exits": f"""
    image: "{IMAGE}"
    command: [sh, -c, "echo the last words; exit 3"]
""",
    "never": f"""
    image: "{IMAGE}"
    command: [sh, -c, "echo waiting for ever; exec sleep 1000"]
    init: true
    ready_timeout: 2s
    ready: [{{tcp: 80}}]
""",
}
# What a terminal, a workflow's log, an XML reader and a Markdown page would each take for an instruction.
HOSTILE = (
    "::error file=a::pwned",
    "  ::add-mask::i",
    "##[error]pwned",
    "a\r::set-output name=x::y",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "</failure><b>html</b> ]]> <script>alert(1)</script>",
    "| a | `b` | ![x](http://203.0.113.9/x.png) @everyone </details>",
    "\u202egnp.exe\u0000",
)
HOSTILE_BYTES = "\n".join(HOSTILE).encode() + b"\n\xff\xfe\x80 not text\n"
NAME = "::error::span \\u001b[31m<b>**x**</b> | `y` ##[error]z\\n::warning::second line"
OCTAL = "".join(f"\\{byte:03o}" for byte in HOSTILE_BYTES)
SAY = f"printf '{OCTAL}'; printf '{OCTAL}' >&2"
DOCKERFILE = f"FROM {IMAGE}\nCOPY say /\nRUN sh /say; echo the tail of the build; exit 7\n"
# Invalid wherever it is not hostile, and hostile in keys, values and what is quoted of the file.
INVALID = """
cleanroom: 1
"::error::key \\e[31m ##[error]x": 1
meta: {name: "::error::name\\n::warning::line"}
services:
  box: {image: 5, "##[group]": 1, ready: [{tcp: "::debug::x"}]}
##[error]a comment
scenarios: "\\r::set-output name=x::y"
"""
# What CommonMark takes literally: a character after a backslash, and what stands between two equal runs of backticks.
LITERAL = re.compile(r"\\[^\w\s]|(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "broken").mkdir()
    (folder / "broken" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "broken" / "say").write_text(SAY)
    write(folder, "invalid", INVALID)
    for name, service in BAD_SERVICES.items():
        write(folder, name, SPEC.replace("NAME", name).replace("SERVICE", service.strip("\n")))
    yield folder
    drop_cache(str(folder))


def run(workspace: Path, out: Path, docker_host: str, *arguments: str) -> Ran:
    """Run, and see to what holds however a run ends."""
    ran = cleanroom(*arguments, out=out, cwd=workspace)
    assert owned_by(docker_host, ran.pid) == ()
    assert_safe(ran)
    return ran


def assert_safe(ran: Ran) -> None:
    """Every part of the report is valid, and neither it nor the output can be taken for instructions."""
    document = ran.report
    assert document["exit_code"] == ran.code, ran.said
    suites = JUnitXml.fromfile(str(ran.out / "junit.xml"))
    assert suites.tests > 0, "a report in which nothing happened would look like a pass"
    assert read(ran.out / "cleanup.json")
    assert read(ran.out / "digests.json") is not None
    assert (ran.out / "summary.md").stat().st_size
    for path in files(ran.out):
        if path.suffix in {".json", ".jsonl"}:
            text = path.read_text(encoding="utf-8")
            for line in [text] if path.suffix == ".json" else text.splitlines():
                read_text(line, path)
        # Raw OTLP is what the service sent, byte for byte: to be judged again, not to be read.
        if path.suffix != ".otlp":
            assert_no_controls(path.read_bytes(), str(path))
    assert_no_controls(ran.stdout + ran.stderr, "the output")
    for line in (ran.stdout + ran.stderr).decode("utf-8").replace("\r", "\n").splitlines():
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line, line


def read_text(text: str, path: Path) -> None:
    try:
        json.loads(text)
    except ValueError as err:
        raise AssertionError(f"{path}: {err}") from err


def assert_no_controls(data: bytes, where: str) -> None:
    data.decode("utf-8")
    bad = [hex(byte) for byte in set(data) if byte < 0x20 and byte not in b"\t\n"]
    assert bad == [], f"{where} has control characters {bad}"


def trouble(ran: Ran) -> str:
    """Everything that the report calls trouble."""
    document = ran.report
    found = [f"{entry['file']}:{entry['line']}:{entry['column']}: {entry['message']}" for entry in document["trouble"]]
    return "\n".join(found + [suite["trouble"] for suite in document["suites"]])


def test_a_missing_image_is_named_with_the_line_that_asks_for_it(workspace: Path, tmp_path: Path, docker_host: str):
    ran = run(workspace, tmp_path, docker_host, "missing.cleanroom.yaml")
    assert ran.code == 4, ran.said
    line = line_of(workspace / "missing.cleanroom.yaml", "  box:")
    assert f"missing.cleanroom.yaml:{line}:3: image nowhere.invalid/no-such-image:1 for service box" in trouble(ran)
    assert "build or load the image" in ran.said


def test_a_failing_build_shows_the_end_of_its_log(workspace: Path, tmp_path: Path, docker_host: str):
    ran = run(workspace, tmp_path, docker_host, "build.cleanroom.yaml")
    assert ran.code == 4, ran.said
    assert f"build.cleanroom.yaml:{line_of(workspace / 'build.cleanroom.yaml', '  box:')}:3: service box" in trouble(
        ran
    )
    assert "returned a non-zero code: 7" in trouble(ran)
    # As the build's own output, and not only as part of the command that is quoted.
    assert "the tail of the build" in [line.strip() for line in trouble(ran).splitlines()]
    assert "pwned" in trouble(ran), "so is the rest of what the build said"


def test_a_hostile_spec_is_refused_and_quoted_as_text(workspace: Path, tmp_path: Path, docker_host: str):
    ran = run(workspace, tmp_path, docker_host, "invalid.cleanroom.yaml")
    assert ran.code == 3, ran.said
    problems = {problem["line"] for problem in ran.report["problems"]}
    assert {2, 5, 7} <= problems, "every problem is told at once"
    assert "error::key" in ran.said
    assert "phase engine" not in ran.said


def test_a_failed_run_leaves_nothing_in_the_image_cache(workspace: Path, tmp_path: Path, docker_host: str):
    run(workspace, tmp_path / "first", docker_host, "build.cleanroom.yaml")
    second = run(workspace, tmp_path / "second", docker_host, "exits.cleanroom.yaml")
    assert second.report["engine"]["image_cache"] == "warm", "it is the same cache"
    assert "that an earlier run had left" not in second.said


def test_services_that_exit_or_never_get_ready_are_named_with_their_logs(
    workspace: Path, tmp_path: Path, docker_host: str
):
    ran = run(workspace, tmp_path, docker_host, "exits.cleanroom.yaml", "never.cleanroom.yaml")
    assert ran.code == 4, ran.said
    exits, never = ran.suite("exits"), ran.suite("never")
    assert (exits["exit_code"], never["exit_code"]) == (4, 4)
    at = line_of(workspace / "exits.cleanroom.yaml", "  box:")
    assert exits["trouble"].startswith(f"exits.cleanroom.yaml:{at}:3: service box ")
    assert "exit code 3" in exits["trouble"]
    assert "the last words" in exits["trouble"]
    at = line_of(workspace / "never.cleanroom.yaml", "ready: [")
    assert never["trouble"].startswith(f"never.cleanroom.yaml:{at}:13: service box was not ready within 2s")
    assert "TCP connection to port 80" in never["trouble"]
    assert "waiting for ever" in never["trouble"]
    assert not any(ran.report["cleanup"]["left"].values())


def test_a_dead_engine_is_named_with_what_to_do(workspace: Path, tmp_path: Path):
    dead = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    chosen = ("--engine", "cell", "exits.cleanroom.yaml")
    ran = cleanroom(*chosen, out=tmp_path / "out", cwd=workspace, environment=dead)
    assert ran.code == 4, ran.said
    assert f"there is no Docker socket at {tmp_path}/nobody.sock" in trouble(ran)
    assert "set DOCKER_HOST" in ran.said
    assert_safe(ran)


@pytest.fixture(scope="module")
def hostile(workspace: Path, tmp_path_factory: pytest.TempPathFactory, docker_host: str) -> Ran:
    """A run in which everything that a service can say is hostile, and every check fails so that it is shown."""
    files_ = {"/say": SAY, "/emit": EMIT, "/main": "sh /say; exec sleep 1000"}
    placed = "".join(f"      {path}: |\n" + indented(text, 8) for path, text in files_.items())
    span = f'"name":"{NAME}","attributes":[{{"key":"{NAME}","value":{{"stringValue":"{NAME}"}}}}]'
    spec = f"""
cleanroom: 1
meta: {{name: hostile}}
services:
  box:
    image: "{IMAGE}"
    command: [sh, /main]
    init: true
    files:
{placed}      /span: |
        {span}
scenarios:
  - name: it says bad things
    steps:
      - {{name: emit, exec: {{service: box, command: 'bash /emit "$(cat /span)"'}}}}
      - name: say
        continue_on_failure: true
        exec: {{service: box, command: "sh /say"}}
        expect: {{stdout: "good\\n"}}
      - {{name: fail, exec: {{service: box, command: "sh /say; exit 9"}}}}
expect:
  spans:
    - {{name: good, count: 1}}
    - {{name: "*span*", count: 1, attributes: {{all: {{good: true}}, none: ["*error*"]}}}}
  graph: {{edges: [[good, better]]}}
determinism: {{iterations: 2}}
"""
    write(workspace, "hostile", spec)
    return run(workspace, tmp_path_factory.mktemp("hostile"), docker_host, "hostile.cleanroom.yaml")


def indented(text: str, columns: int) -> str:
    return "".join(f"{' ' * columns}{line}\n" for line in text.strip("\n").splitlines())


def test_hostile_output_is_shown_and_does_nothing(hostile: Ran):
    assert hostile.code == 1, hostile.said
    suite = hostile.suite("hostile")
    steps = suite["scenarios"][0]["iterations"][0]["steps"]
    assert [step["outcome"] for step in steps] == ["passed", "failed", "failed"]
    for part in ("pwned", "html", "not text", "@everyone", "red"):
        assert part in steps[1]["stdout"], "what it said can be read"
    logs = [path.read_text(encoding="utf-8") for path in files(hostile.out / "logs")]
    assert logs
    assert all("pwned" in log for log in logs)


def test_a_hostile_span_is_judged_and_shown_as_text(hostile: Ran):
    found = [finding for finding in findings(hostile.suite("hostile")) if finding["rule"].startswith("spans.")]
    assert found
    assert any("span" in text for finding in found for text in (finding["found"], *finding["near_misses"]))
    arrived = [line for path in files(hostile.out / "traces") for line in path.read_text("utf-8").splitlines()]
    assert any("::warning::second line" in line for line in arrived), "the span did arrive, name and all"


def test_the_summary_has_no_markup_of_a_service(hostile: Ran):
    text = (hostile.out / "summary.md").read_text(encoding="utf-8")
    assert "pwned" in text, "the summary does quote the service"
    outside = LITERAL.sub("", text)
    assert "### Findings" in outside, "its own markup is still there"
    for markup in ("<", "![", "](", "**x**", "| `y`", "@everyone"):
        assert markup not in outside, markup


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a file system that cannot hold the image."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)], check=True)
    yield folder / "state"
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_with_what_to_do(full_disk: Path, tmp_path: Path, docker_host: str):
    root = tmp_path / "root"
    root.mkdir()
    write(root, "full", SPEC.replace("NAME", "full").replace("SERVICE", f'    image: "{IMAGE}"'))
    options = ("--engine", "own", "--state-dir", str(full_disk), "--image-cache", "off")
    ran = run(root, tmp_path / "out", docker_host, "full.cleanroom.yaml", *options)
    assert ran.code == 4, ran.said
    (found,) = ran.report["trouble"]
    assert "no space left" in found["message"]
    assert "free disk space" in found["remedy"]
    assert (found["file"], found["line"]) == ("full.cleanroom.yaml", line_of(root / "full.cleanroom.yaml", "  box:"))
