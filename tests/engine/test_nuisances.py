"""Nuisances in a real service: each is named by span path and attribute, and the proposed rule makes the runs equal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import drop_cache
from runs import ROOT, Json, Ran, cleanroom, write

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

# The hello example's service, whose spans stock instrumentation makes; what is added is drawn by each process.
SERVICE = """
import os, random, signal, socket, sys, time
sys.path.insert(0, "/srv")
from hello import app
from opentelemetry import trace
tracer = trace.get_tracer("nuisance")
what = os.environ["NUISANCE"]
ROWS = ["a", "b", "c", "d", "e", "f", "g", "h"]

@app.before_request
def disturb():
    span = trace.get_current_span()
    if what == "attribute":
        span.set_attribute("order.id", random.getrandbits(62))
    elif what == "time":
        span.set_attribute("order.placed", time.strftime("%Y-%m-%dT%H:%M:%S") + f".{time.time_ns() % 10**9:09}Z")
    elif what == "name":
        with tracer.start_as_current_span(f"load {random.getrandbits(64):016x}"):
            pass
    elif what == "map":
        rows = list({hash((os.getpid(), time.time_ns(), row)): row for row in ROWS}.items())
        rows = [row for _, row in sorted(rows)]
        for row in rows:
            with tracer.start_as_current_span(f"row {row}"):
                time.sleep(0.001)
    elif what == "port":
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as link:
            with tracer.start_as_current_span("call", kind=trace.SpanKind.CLIENT) as call:
                call.set_attribute("network.local.port", link.getsockname()[1])
    elif what == "retry":
        for _ in range(1 + os.urandom(1)[0] % 64):
            with tracer.start_as_current_span("POST /pay"):
                pass
    elif what == "pid":
        span.set_attribute("process.pid", int.from_bytes(os.urandom(3), "big"))
    elif what == "hostname":
        with tracer.start_as_current_span("resolve") as call:
            call.set_attribute("host.name", os.urandom(6).hex())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
app.run(host="0.0.0.0", port=8080)
"""


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """What is disturbed, where that shows, and the beginning of the rule; `rules` are the spec's own from the start."""

    what: str
    path: str = ""
    attribute: str = ""
    proposal: str = ""
    rules: str = ""


STEP = "cleanroom.iteration > cleanroom.scenario > cleanroom.step:greet"
HELLO = f"{STEP} > GET /hello"
NAMED = {
    "attribute": Nuisance(
        what="attribute", path=HELLO, attribute="attributes.order.id", proposal="drop: [order.id]"
    ),
    "time": Nuisance(what="time", path=HELLO, attribute="attributes.order.placed", proposal="drop: [order.placed]"),
    "name": Nuisance(what="name", path=f"{HELLO} > load ", attribute="name", proposal="replace: ["),
    "map": Nuisance(what="map", path=f"{HELLO} > row ", proposal="siblings: unordered", rules="siblings: by_start"),
    "retry": Nuisance(what="retry", path=f"{HELLO} > POST /pay", proposal='drop_spans: ["POST /pay"]'),
    "kept-pid": Nuisance(
        what="pid", path=HELLO, attribute="attributes.process.pid", proposal="drop: [process.pid]",
        rules="keep: [process.pid]",
    ),
    "kept-hostname": Nuisance(
        what="hostname", path=f"{HELLO} > resolve", attribute="attributes.host.name", proposal="drop: [host.name]",
        rules="keep: [host.name]",
    ),
    "kept-port": Nuisance(
        what="port", path=f"{HELLO} > call", attribute="attributes.network.local.port",
        proposal="drop: [network.local.port]", rules="keep: [network.local.port]",
    ),
}  # fmt: skip
# Removed by a rule that every trace is under: nothing to name.
KNOWN = {name: Nuisance(what=name) for name in ("pid", "hostname", "port", "map-unordered")}


def spec(name: str, nuisance: Nuisance) -> str:
    return f"""
cleanroom: 1
meta: {{name: {name}}}
services:
  hello:
    build: {{context: ./service}}
    command: [/opt/hello/bin/python, /nuisance.py]
    environment: {{NUISANCE: {nuisance.what.removesuffix("-unordered")}}}
    files:
      /nuisance.py: "{{{{ file('nuisance.py') }}}}"
    ready: [{{tcp: 8080}}]
    ready_timeout: 90s
scenarios:
  - name: it says hello
    steps:
      - {{name: greet, http: {{service: hello, port: 8080, path: /hello}}, expect: {{status: 200}}}}
expect:
  spans: [{{name: GET /hello, service: hello, kind: server, count: 1, where: {{http.route: /hello}}}}]
# a comment that stays
determinism: {{iterations: 5, seed: 7, normalize: {{{nuisance.rules}}}}}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ran, Ran, Path]]:
    """All nuisances in one run that writes what it proposes, and the same specs once more."""
    folder = tmp_path_factory.mktemp("nuisances")
    shutil.copytree(ROOT / "examples" / "hello" / "service", folder / "service")
    (folder / "nuisance.py").write_text(SERVICE, encoding="utf-8")
    names = [write(folder, name, spec(name, nuisance)).name for name, nuisance in (NAMED | KNOWN).items()]
    first = cleanroom(*names, "--update", out=tmp_path_factory.mktemp("first"), cwd=folder, patience=600)
    again = cleanroom(*names, out=tmp_path_factory.mktemp("again"), cwd=folder, patience=600)
    yield first, again, folder
    drop_cache(str(folder))


def divergence(ran: Ran, name: str) -> Json | None:
    found: Json | None = ran.suite(name)["divergence"]
    return found


@pytest.mark.parametrize("name", NAMED)
def test_a_nuisance_is_named_by_path_and_attribute(runs: tuple[Ran, Ran, Path], name: str):
    wanted, found = NAMED[name], divergence(runs[0], name)

    assert runs[0].suite(name)["exit_code"] == 1
    assert found is not None, runs[0].said
    assert found["path"].startswith(wanted.path)
    assert found["attribute"] == wanted.attribute
    assert found["proposal"].startswith(wanted.proposal)


@pytest.mark.parametrize("name", NAMED)
def test_the_proposed_rule_is_written_and_works(runs: tuple[Ran, Ran, Path], name: str):
    again = runs[1].suite(name)

    assert (again["exit_code"], again["divergence"]) == (0, None), runs[1].said
    assert "# a comment that stays" in (runs[2] / f"{name}.cleanroom.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", KNOWN)
def test_what_a_named_rule_takes_out_is_no_difference(runs: tuple[Ran, Ran, Path], name: str):
    assert [ran.suite(name)["exit_code"] for ran in runs[:2]] == [0, 0], runs[0].said
