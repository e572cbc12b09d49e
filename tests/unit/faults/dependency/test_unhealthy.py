from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.engine.payload import health_check_of
from cleanroom.engine.ports import HealthCheck
from cleanroom.errors import CapabilityError
from cleanroom.faults.dependency.unhealthy import find, program_of

PATH = ("/usr/bin", "/bin")


def check(*words: str, by: str = "exec") -> HealthCheck:
    return HealthCheck(words=words, shell=by == "sh", path=PATH, interval=1.0, timeout=1.0, retries=3)


@pytest.mark.parametrize(("made", "program"), [
    (check("pg_isready", "-U", "x"), "pg_isready"), (check("/srv/well"), "/srv/well"),
    (check("test", "-e", "/a"), "test"),
    (check("curl -f http://localhost || exit 1", by="sh"), "curl"),
    (check("A=1 exec /srv/well --now", by="sh"), "/srv/well"),
])  # fmt: skip
def test_the_program_of_a_check_is_told(made, program):
    assert program_of("db", made) == program


@pytest.mark.parametrize("made", [
    check("sh", "-c", "curl x"), check("/bin/bash", "/srv/well.sh"), check("test -e /a", by="sh"),
    check("$CHECK", by="sh"),
    check("[ -e /a ]", by="sh"), check("'", by="sh"), check("", by="sh"), check("(curl x)", by="sh"),
    check("sh /srv/well", by="sh"),
])  # fmt: skip
def test_what_services_need_too_or_a_shell_does_by_itself_is_refused_by_name(made):
    with pytest.raises(CapabilityError, match=r"^db: its health check") as caught:
        program_of("db", made)
    assert "HEALTHCHECK CMD" in caught.value.remedy


def test_a_program_is_found_where_the_container_looks_for_it(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "well").symlink_to("/bin/nowhere/busybox")
    assert find("well", PATH, tmp_path, "db") == "/bin/well"
    assert find("/bin/well", PATH, tmp_path, "db") == "/bin/well"
    for absent in ("ill", "/ill", "./well"):
        with pytest.raises(CapabilityError, match="is not in the container"):
            find(absent, PATH, tmp_path, "db")


def test_a_check_is_read_as_the_engine_tells_it():
    config = {"Test": ["CMD-SHELL", "curl x"], "Interval": 2 * 10**9, "Retries": 5}
    found = health_check_of({"Path": "x", "Config": {"Env": ["PATH=/a:/b"], "Healthcheck": config}})
    assert found is not None
    assert (found.words, found.shell, found.path) == (("curl x",), True, ("/a", "/b"))
    assert (found.interval, found.timeout, found.retries) == (2.0, 30.0, 5)
    for none in ({}, {"Healthcheck": None}, {"Healthcheck": {"Test": ["NONE"]}}, {"Healthcheck": {"Test": []}}):
        assert health_check_of({"Path": "x", "Config": none}) is None
