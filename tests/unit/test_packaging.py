from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("runtime", "dev", "bench")


def entries(text: str) -> dict[str, str]:
    """Locked requirement lines by package name, each joined with its hashes."""
    joined = text.replace("\\\n", " ")
    return {
        re.split(r"[=<>\[ ;]", line, maxsplit=1)[0].lower(): line for line in joined.splitlines() if line[:1].isalnum()
    }


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.lock").read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_one_version_and_a_hash(name):
    locked = entries(lock(name))
    assert locked
    loose = [package for package, line in locked.items() if "==" not in line or "--hash=sha256:" not in line]
    assert loose == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index(name):
    assert re.findall(r"https?://|--(?:extra-)?index-url|--find-links", lock(name)) == []


def test_each_lock_contains_the_smaller_one_unchanged():
    smaller = [entries(lock(name)) for name in LOCKS]
    for inner, outer in itertools.pairwise(smaller):
        assert {package: outer.get(package) for package in inner} == inner


def test_the_locks_hold_what_the_project_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    def missing(declared: list[str], name: str) -> list[str]:
        locked = entries(lock(name))
        names = [re.split(r"[=<>\[ ;]", item, maxsplit=1)[0].lower().replace(".", "-") for item in declared]
        return [package for package in names if package not in locked]

    assert missing(project["project"]["dependencies"], "runtime") == []
    assert missing(project["dependency-groups"]["dev"], "dev") == []
    assert missing(project["dependency-groups"]["bench"], "bench") == []


def test_the_image_gets_the_version_of_the_package():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'org.opencontainers.image.version="{version}"' in (ROOT / "Dockerfile").read_text()
    assert f'__version__ = "{version}"' in (ROOT / "cleanroom" / "__init__.py").read_text()
