from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.spec.compose.load import Imported, Wanted, import_compose
from cleanroom.spec.compose.writing import compose_spec
from cleanroom.spec.format.rewrite import format_spec
from cleanroom.spec.load import load_spec
from cleanroom.spec.problem import ProblemLog

FOLDER = Path(__file__).parents[3] / "compose"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*compose.y*ml"))


def spec_of(name, profiles=()):
    path = FOLDER / name
    imported = import_compose(Wanted(path=path, profiles=profiles), FOLDER, path.parent)
    assert isinstance(imported, Imported), imported
    return compose_spec(imported, path.name)


def loaded(name, text, tmp_path):
    """Load a spec as if it stood beside its Compose file, without writing there."""
    folder = tmp_path / "copy"
    source = (FOLDER / name).parent
    for file in source.rglob("*"):
        target = folder / file.relative_to(source)
        if file.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    (folder / "x.cleanroom.yaml").write_text(text)
    return load_spec(folder / "x.cleanroom.yaml", root=folder, variables={}, environment={})


def test_there_are_five():
    assert len(FILES) == 5


@pytest.mark.parametrize("name", FILES)
def test_the_spec_of_a_compose_file_stays_as_it_is_and_is_valid(name, snapshot, tmp_path):
    text = spec_of(name)
    assert text == snapshot
    spec = loaded(name, text, tmp_path)
    assert spec.problems == ()
    assert len(spec.suites) == 1


def test_services_of_profiles_are_valid_too(snapshot, tmp_path):
    name = "profiles-extends/compose.yaml"
    text = spec_of(name, profiles=("*",))
    assert text == snapshot
    assert loaded(name, text, tmp_path).problems == ()


def test_the_one_with_a_database_uses_nothing_that_run_refuses(tmp_path):
    name = "nginx-app-postgres/docker-compose.yml"
    (suite,) = loaded(name, spec_of(name), tmp_path).suites
    assert suite.unavailable == ()
    files = {path for service in suite.services for path in service.files}
    assert files == {"/etc/nginx/conf.d/default.conf", "/docker-entrypoint-initdb.d/init.sql"}


@pytest.mark.parametrize("name", FILES)
def test_the_formatter_finds_nothing_to_do(name):
    text = spec_of(name)
    assert format_spec(text.encode(), ProblemLog("x.cleanroom.yaml")) == text
