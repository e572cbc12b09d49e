from __future__ import annotations

import pytest

from cleanroom.spec.checks.paths import Paths, settle
from cleanroom.spec.contract import Contract
from cleanroom.spec.mock import CassetteMock
from cleanroom.spec.otel import CollectorConfig
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.place import Place
from cleanroom.spec.shapes.suite import SUITE
from cleanroom.spec.suite import Suite
from tests.unit.spec.shapes.reading import FILE, node_of


@pytest.fixture
def repository(tmp_path):
    """A repository whose specs are in `specs`, next to something that is none of their business."""
    root = tmp_path / "repository"
    (root / "specs" / "db").mkdir(parents=True)
    (root / "specs" / "db" / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (root / "api.yaml").write_text("openapi: 3.1.0\n", encoding="utf-8")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("x", encoding="utf-8")
    (root / "specs" / "way-out").symlink_to(tmp_path / "secret")
    (root / "specs" / "file-out").symlink_to(tmp_path / "secret" / "file")
    (root / "specs" / "db" / "way-out").symlink_to(tmp_path / "secret" / "file")
    (root / "specs" / "inside").symlink_to(root / "api.yaml")
    (root / "specs" / "loop").symlink_to("loop")
    return root


@pytest.fixture
def settled(repository):
    def go(source):
        document = node_of(source)
        log = ProblemLog(FILE)
        read = {entry.key: SUITE.keys[entry.key].shape(entry.value, Place(log)) for entry in document.entries}
        assert not log.sorted()
        services = tuple(read.pop("services", {}).values())
        suite = Suite(name="x", file=FILE, services=services, **read)
        suite = settle(suite, document, Paths(log, repository, repository / "specs"))
        return suite, [(problem.code, problem.at.column) for problem in log.sorted()]

    return go


PLACES = {
    "volume": "services: {a: {image: i, volumes: [{target: /t, source: PATH}]}}",
    "openapi": "services: {a: {mock: {openapi: PATH}}}",
    "cassette": "services: {a: {mock: {cassette: PATH}}}",
    "contract": "contracts: {services: [a], openapi: PATH}",
    "collector": "otel: {collector: {config: PATH}}",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../../secret/file", "outside"),
        ("/etc/passwd", "outside"),
        ("file-out", "outside"),
        ("way-out/file", "outside"),
        ("nowhere.yaml", "missing-path"),
        ("loop", "missing-path"),
    ],
)
def test_a_path_exists_and_stays_in_the_repository(settled, place, path, code):
    source = PLACES[place]
    assert settled(source.replace("PATH", path))[1] == [(code, source.index("PATH") + 2)]


@pytest.mark.parametrize(
    ("path", "expected"), [("../api.yaml", "api.yaml"), ("inside", "api.yaml"), ("db/../inside", "api.yaml")]
)
def test_a_path_becomes_relative_to_the_workspace(settled, path, expected):
    def of(place):
        suite, found = settled(PLACES[place].replace("PATH", path))
        assert found == []
        return suite

    assert of("volume").services[0].volumes[0].source == expected
    assert of("openapi").services[0].mock.openapi == expected
    assert of("cassette").services[0].mock == CassetteMock(cassette=expected)
    assert of("contract").contracts == Contract(openapi=expected, services=("a",))
    assert of("collector").otel.collector == CollectorConfig(config=expected)


def test_a_volume_may_be_a_folder_and_a_document_may_not(settled):
    suite, found = settled(PLACES["volume"].replace("PATH", "./db"))
    assert (suite.services[0].volumes[0].source, found) == ("specs/db", [])
    for place in ("openapi", "cassette", "contract", "collector"):
        assert [code for code, _ in settled(PLACES[place].replace("PATH", "./db"))[1]] == ["missing-path"]


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("new.json", []),
        ("../api.yaml", []),
        ("db", ["missing-path"]),
        ("no/new.json", ["missing-path"]),
        ("../../n", ["outside"]),
    ],
)
def test_a_cassette_that_is_recorded_needs_a_folder_only(settled, path, codes):
    source = f"services: {{a: {{mock: {{cassette: {path}, mode: record, hosts: [h]}}}}}}"
    assert [code for code, _ in settled(source)[1]] == codes


@pytest.mark.parametrize(
    ("build", "found"),
    [
        ("{context: ./db}", []),
        ("{context: ./db, dockerfile: ./Dockerfile}", []),
        ("{context: ./none}", [("missing-path", 34)]),
        ("{context: ../api.yaml}", [("missing-path", 34)]),
        ("{context: way-out}", [("outside", 34)]),
        ("{context: ../..}", [("outside", 34)]),
        ("{context: ..}", [("missing-path", 34)]),
        ("{context: db, dockerfile: ../inside}", [("outside", 50)]),
        ("{context: db, dockerfile: way-out}", [("outside", 50)]),
        ("{context: db, dockerfile: Other}", [("missing-path", 50)]),
    ],
)
def test_an_image_is_built_from_a_folder_of_the_repository(settled, build, found):
    suite, problems = settled(f"services: {{a: {{build: {build}}}}}")
    assert problems == found
    if not found:
        assert suite.services[0].build.context == "specs/db"
