from __future__ import annotations

import argparse

import pytest

from cleanroom.cli import importing, init
from cleanroom.errors import SpecError, UsageError
from cleanroom.spec.load import load_spec

COMPOSE = "services:\n  web:\n    image: nginx\n    ports: ['80:80']\n    privileged: true\n"


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*words):
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers()
        importing.add_parser(commands)
        init.add_parser(commands)
        arguments = parser.parse_args(words)
        return arguments.call(arguments)

    return call


def test_a_compose_file_is_printed_as_a_spec_and_what_is_lost_is_said(call, tmp_path, capsys):
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    assert call("import", "compose", "compose.yaml") == 0
    out, err = capsys.readouterr()
    assert "\nservices:\n  web:\n    image: nginx\n    ready: [{tcp: 80}]\n" in out
    assert "# NOT taken over, and it may matter:\n#   compose.yaml:5: services.web.privileged: " in out
    assert err.splitlines()[0].startswith("not taken: compose.yaml:5: services.web.privileged: ")


def test_a_spec_is_never_replaced_without_being_asked(call, tmp_path, capsys):
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "x.cleanroom.yaml").write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        call("import", "compose", "compose.yaml", "--out", "x.cleanroom.yaml")
    assert (tmp_path / "x.cleanroom.yaml").read_text() == "mine"
    assert call("import", "compose", "compose.yaml", "--out", "x.cleanroom.yaml", "--force") == 0
    assert (tmp_path / "x.cleanroom.yaml").read_text().startswith("# Made from compose.yaml")
    assert "next: cleanroom plan x.cleanroom.yaml" in capsys.readouterr().err


def test_an_invalid_compose_file_is_an_invalid_spec(call, tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {a: {}}")
    with pytest.raises(SpecError, match=r"compose\.yaml:1:15: error\[missing-key\]") as caught:
        call("import", "compose", "compose.yaml")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("words", [("compose.yaml",), ("../compose.yaml",)])
def test_a_file_that_is_not_there_or_outside_is_a_wrong_call(call, tmp_path, words):
    (tmp_path.parent / "compose.yaml").write_text(COMPOSE)
    with pytest.raises(UsageError):
        call("import", "compose", *words)


def test_a_profile_adds_services(call, tmp_path, capsys):
    (tmp_path / "c.yml").write_text("services: {a: {image: i}, b: {image: j, profiles: [p]}}")
    call("import", "compose", "c.yml")
    assert "  b: " not in capsys.readouterr().out
    call("import", "compose", "c.yml", "--profile", "p")
    assert "  b: {image: j}\n" in capsys.readouterr().out


def test_a_spec_of_the_predecessor_says_what_was_never_evaluated(call, tmp_path, capsys):
    (tmp_path / "x.clnrm.toml").write_text(
        '[meta]\nname = "n"\n[[steps]]\nname = "s"\ncommand = ["echo", "a"]\n[[expect.span]]\nname = "GET /"\n'
    )
    assert call("import", "clnrm", "x.clnrm.toml", "--out", "x.cleanroom.yaml") == 0
    err = capsys.readouterr().err
    assert "never evaluated there: expect.span[0] (GET /): run looked at no expectation about a single span\n" in err
    assert "# Never evaluated there" in (tmp_path / "x.cleanroom.yaml").read_text()


def test_init_takes_the_compose_file_first(call, tmp_path, capsys):
    (tmp_path / "docker-compose.yml").write_text("name: Shop 1\nservices: {a: {image: i, privileged: true}}")
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    assert call("init") == 0
    out, err = capsys.readouterr()
    assert (
        out == "wrote shop-1.cleanroom.yaml from docker-compose.yml; next: cleanroom validate shop-1.cleanroom.yaml\n"
    )
    assert err.startswith("not taken: docker-compose.yml:2: services.a.privileged: ")
    assert (tmp_path / "shop-1.cleanroom.yaml").is_file()


def test_init_makes_a_spec_of_a_dockerfile_that_is_valid(call, tmp_path, monkeypatch):
    folder = tmp_path / "My App"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "Dockerfile").write_text("FROM a AS b\nEXPOSE 1\nFROM c\nexpose 53/udp 8080 9000/tcp\n  EXPOSE $PORT\n")
    assert call("init") == 0
    path = folder / "my-app.cleanroom.yaml"
    assert "http: {service: app, port: 8080, path: /, follow: false}" in path.read_text()
    assert "#   $PORT\n" in path.read_text()
    (suite,) = load_spec(path, root=folder, variables={}, environment={}).suites
    assert suite.services[0].ready[0].question.port == 8080
    assert suite.unavailable == ()


def test_init_replaces_nothing(call, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    call("init")
    with pytest.raises(UsageError, match="is there already") as refused:
        call("init")
    assert "--force" not in str(refused.value)


def test_init_with_nothing_to_begin_with_says_what_to_do(call):
    with pytest.raises(UsageError, match="neither a Compose file nor a Dockerfile") as caught:
        call("init")
    assert caught.value.remedy
    assert caught.value.exit_code == 2
