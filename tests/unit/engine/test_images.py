from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cleanroom.engine.control import SeedReply
from cleanroom.engine.images import (
    Preparation,
    image_key,
    normalised,
    prepare_images,
    registry_of,
    required_images,
)
from cleanroom.engine.ports import BuildSpec
from cleanroom.errors import EngineError
from cleanroom.spec.service import Build, Service
from cleanroom.spec.source import Position
from cleanroom.spec.suite import Suite


@dataclass
class Engine:
    """Images by reference; `registry` is what can be pulled."""

    images: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict)
    pulled: list[tuple[str, object]] = field(default_factory=list)
    built: list[BuildSpec] = field(default_factory=list)

    def has_image(self, reference: str) -> bool:
        return reference in self.images

    def image_id(self, reference: str) -> str:
        return self.images.get(reference, "")

    def image_fingerprint(self, reference: str) -> str:
        return self.images.get(reference, "")

    def pull(self, reference: str, auth: Mapping[str, str] | None) -> None:
        self.pulled.append((reference, auth))
        if reference not in self.registry:
            raise EngineError(f"cannot pull {reference}: manifest unknown")
        self.images[reference] = self.registry[reference]

    def build(self, spec: BuildSpec, log: Callable[[str], None]) -> str:
        log("Step 1/1")
        self.built.append(spec)
        self.images[spec.tag] = f"sha256:built{len(self.built)}"
        return self.images[spec.tag]


def suite(*services: Service) -> Suite:
    return Suite(name="Shop & co", file="a.yaml", services=services)


DB = Service(name="db", image="postgres:17", at=Position("a.yaml", 3, 3))
API = Service(name="api", build=Build(context="api"), at=Position("a.yaml", 6, 3))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "Dockerfile").write_text("FROM python:3 AS b\nFROM b\nCOPY . /\n")
    return tmp_path


def prepared(engine: Engine, root: Path, *services: Service, how: Preparation | None = None) -> Mapping[str, str]:
    return prepare_images(engine, required_images([suite(*services)], root), how or Preparation())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "full", "registry"),
    [
        ("debian", "debian:latest", ""),
        ("team/app:1", "team/app:1", ""),
        ("registry.example:5000/app", "registry.example:5000/app:latest", "registry.example:5000"),
        ("localhost/app@sha256:00", "localhost/app@sha256:00", "localhost"),
    ],
)
def test_references_are_spelled_out(reference: str, full: str, registry: str) -> None:
    assert (normalised(reference), registry_of(reference)) == (full, registry)


def test_images_and_bases_of_builds_are_needed_once_each(root: Path) -> None:
    worker = Service(name="worker", image="python:3")
    needs = required_images([suite(DB, API), suite(worker, DB)], root)
    assert [(n.key, n.users) for n in needs] == [
        ("postgres:17", ("service db",)),
        ("python:3", ("the build of service api", "service worker")),
        (image_key(API), ("service api",)),
    ]


def test_what_is_there_is_not_pulled_and_what_is_not_is_pulled_with_its_credentials(root: Path) -> None:
    private = Service(name="p", image="registry.example/app:1")
    engine = Engine(images={"postgres:17": "sha256:1"}, registry={"registry.example/app:1": "sha256:2"})
    auth = {"registry.example": {"username": "u", "password": "secret"}}
    assert prepared(engine, root, DB, private, how=Preparation(auth=auth)) == {
        "postgres:17": "postgres:17",
        "registry.example/app:1": "registry.example/app:1",
    }
    assert engine.pulled == [("registry.example/app:1", auth["registry.example"])]


def test_every_missing_image_is_named_with_its_line(root: Path) -> None:
    with pytest.raises(EngineError) as caught:
        prepared(Engine(), root, DB, API)
    assert "a.yaml:3:3: image postgres:17 for service db is missing: cannot pull postgres:17" in caught.value.message
    assert "a.yaml:6:3: image python:3 for the build of service api is missing" in caught.value.message


def test_the_outer_engine_is_asked_first_and_told_what_is_here(root: Path) -> None:
    engine = Engine(images={"python:3": "old"})
    asked: list[Mapping[str, str]] = []

    def seed(wanted: Mapping[str, str]) -> SeedReply:
        asked.append(wanted)
        engine.images |= {"postgres:17": "new", "python:3": "new"}
        return SeedReply(loaded=("postgres:17", "python:3"))

    by_digest = Service(name="d", image="x@sha256:00")
    engine.registry["x@sha256:00"] = "sha256:9"
    prepared(engine, root, DB, API, by_digest, how=Preparation(seed=seed))
    assert asked == [{"postgres:17": "", "python:3": "old"}]
    assert [reference for reference, _ in engine.pulled] == ["x@sha256:00"]


def test_an_older_image_is_never_run_when_copying_the_newer_one_failed(root: Path) -> None:
    engine = Engine(images={"postgres:17": "old"}, registry={"postgres:17": "old"})
    reply = SeedReply(failed={"postgres:17": "no space left on device"})
    with pytest.raises(EngineError, match="what is here differs: no space left"):
        prepared(engine, root, DB, how=Preparation(seed=lambda _wanted: reply))


def test_an_image_that_could_not_be_copied_may_still_be_pulled(root: Path) -> None:
    reply = SeedReply(failed={"postgres:17": "broken pipe"})
    how = Preparation(seed=lambda _wanted: reply)
    assert prepared(Engine(registry={"postgres:17": "1"}), root, DB, how=how) == {"postgres:17": "postgres:17"}
    with pytest.raises(EngineError, match="copying it from the outer engine failed: broken pipe"):
        prepared(Engine(), root, DB, how=how)


def test_an_unchanged_build_is_not_built_again_and_a_changed_one_is(root: Path) -> None:
    engine = Engine(images={"python:3": "sha256:1"})
    first = prepared(engine, root, API)[image_key(API)]
    assert first.startswith("cleanroom-build/shop-co-")
    assert (engine.built[0].tag, engine.built[0].context) == (first, str(root / "api"))
    assert prepared(engine, root, API)[image_key(API)] == first
    assert len(engine.built) == 1

    (root / "api" / "app.py").write_text("x")
    changed = prepared(engine, root, API)[image_key(API)]
    engine.images["python:3"] = "sha256:2"
    rebased = prepared(engine, root, API)[image_key(API)]
    other = Service(name="api", build=Build(context="api", args={"A": "1"}))
    assert len({first, changed, rebased, prepared(engine, root, other)[image_key(other)]}) == 4
    assert len(engine.built) == 4


def test_a_build_outside_of_the_repository_or_without_dockerfile_is_refused(root: Path) -> None:
    with pytest.raises(EngineError, match="leaves the repository"):
        required_images([suite(Service(name="x", build=Build(context="../..")))], root)
    with pytest.raises(EngineError, match=r"service x: cannot read Missing of the build context api"):
        required_images([suite(Service(name="x", build=Build(context="api", dockerfile="Missing")))], root)
