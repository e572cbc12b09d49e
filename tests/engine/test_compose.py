"""A Compose file as people write it, imported and run: its images are made here from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import BuildSpec
from tests.engine.runs import ROOT, cleanroom, findings, read

IMAGES = {"postgres:17": "postgres", "nginx:1.26": "nginx"}


@pytest.fixture(scope="module")
def images(engine: DockerEngine, docker_host: str) -> Iterator[None]:
    """Make the images that the Compose file names where the engine has none; those made here lose their names again."""
    made = [tag for tag in IMAGES if not engine.has_image(tag)]
    for tag in made:
        engine.build(BuildSpec(tag=tag, context=str(ROOT / "tests" / "images" / IMAGES[tag])), lambda _line: None)
    yield
    with closing(docker.APIClient(docker_host, version="auto")) as api:
        for tag in made:
            api.remove_image(tag, noprune=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "tests" / "compose" / "nginx-app-postgres", tmp_path / "shop")
    return tmp_path / "shop"


def imported(repository: Path) -> Path:
    spec = repository / "shop.cleanroom.yaml"
    words = ("import", "compose", "docker-compose.yml", "--out", spec.name)
    told = subprocess.run(
        (sys.executable, "-m", "cleanroom.cli.main", *words),
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return spec


@pytest.mark.usefixtures("images")
def test_nginx_an_application_and_postgresql_run_as_their_compose_file_says(repository, tmp_path):
    spec = imported(repository)
    text = spec.read_text(encoding="utf-8")
    # The table that db/init.sql makes is there, under the user, the password and the database of the Compose file.
    spec.write_text(
        text.replace(
            "    expect: {outcome: passed}\n",
            """\
      - name: the table is there
        exec:
          service: db
          command: [psql, --no-psqlrc, -At, "postgresql://app:change-me@127.0.0.1/app", -c, select count(*) from visits]
        expect: {stdout: "0\\n"}
      - name: nginx answers for the application, which reaches the database
        http: {service: nginx}
        expect: {body: {eq: "the database is up\\n"}}
    expect: {outcome: passed}
""",
        ),
        encoding="utf-8",
    )
    ran = cleanroom(spec.name, "--iterations", "2", out=tmp_path / "report", cwd=repository)
    assert ran.code == 0, ran.said
    assert list(findings(ran.report)) == []
    (suite,) = ran.report["suites"]
    assert len(suite["iterations"]) == 2


@pytest.mark.usefixtures("images")
def test_the_same_spec_fails_when_the_database_has_another_name(repository, tmp_path):
    compose = repository / "docker-compose.yml"
    compose.write_text(
        compose.read_text(encoding="utf-8").replace("DATABASE_HOST: db", "DATABASE_HOST: database"), encoding="utf-8"
    )
    ran = cleanroom(imported(repository).name, "--iterations", "1", out=tmp_path / "report", cwd=repository)
    assert ran.code == 1, ran.said


@pytest.mark.usefixtures("images")
def test_a_spec_that_names_the_compose_file_runs_its_services(repository, tmp_path):
    (repository / "shop.cleanroom.yaml").write_text(
        """\
cleanroom: 1
compose: {file: docker-compose.yml}
scenarios:
  - name: all of it answers
    steps:
      - name: nginx answers for the application, which reaches the database
        http: {service: nginx}
        expect: {body: {eq: "the database is up\\n"}}
expect:
  hermeticity: {egress: none, leaks: none}
""",
        encoding="utf-8",
    )
    ran = cleanroom("shop.cleanroom.yaml", "--iterations", "1", out=tmp_path / "report", cwd=repository)
    assert ran.code == 0, ran.said
    started = (tmp_path / "report" / "journal").rglob("plan.json")
    assert {service["name"] for plan in started for service in read(plan)["plan"]["suite"]["services"]} == {
        "nginx",
        "app",
        "db",
    }
