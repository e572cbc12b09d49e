"""Databases and caches for the specs of tests: images made here from Debian's packages, once for each engine.

They keep their names when a test has ended: tests that run beside it, and the next run of them, have them at once.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import BuildSpec

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "cleanroom-tests/postgres:17": "postgres",
    "cleanroom-tests/mariadb:11.8": "mariadb",
    "cleanroom-tests/redis:8": "redis",
    "cleanroom-tests/nginx:1.26": "nginx",
    "cleanroom-tests/healthcheck:1": "healthcheck",
    "cleanroom-tests/rabbitmq:4": "rabbitmq",
    "cleanroom-tests/target:1": "target",
    "cleanroom-tests/checked:1": "checked",
}


# What the long tests alone need takes a minute to make.
EVERYDAY = tuple(tag for tag in FOLDERS if "rabbitmq" not in tag)


def make_images(engine: DockerEngine, tags: Sequence[str] = EVERYDAY) -> None:
    """Make those that the engine does not have yet; whoever comes second waits."""
    with Path(tempfile.gettempdir(), "cleanroom-tests-images.lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for tag in tags:
            if not engine.has_image(tag):
                context = ROOT / "tests" / "images" / FOLDERS[tag]
                engine.build(BuildSpec(tag=tag, context=str(context)), lambda _line: None)
