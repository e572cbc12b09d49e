from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from typing import Any

import pytest

from cleanroom.engine.ports import ContainerSpec
from cleanroom.errors import EngineError
from cleanroom.network.ports import Slot
from cleanroom.pipeline.probe import IMAGE, ContainerProbe, probe_archive
from tests.fakes import FakeContainer, FakeEngine

SLOT = Slot(index=1, bridge="clr-fake-1", subnet="10.213.1.0/24", gateway="10.213.1.1")


@dataclass
class Importing(FakeEngine):
    """An engine in which the probe ends as it is told to; `None` never ends."""

    ends: int | None = 0
    imported: list[str] = field(default_factory=list)
    made: list[ContainerSpec] = field(default_factory=list)

    def import_image(self, reference: str, _archive: bytes) -> None:
        self.imported.append(reference)
        self.images.add(reference)

    def create(self, spec: ContainerSpec) -> str:
        self.made.append(spec)
        return super().create(spec)

    def start(self, container: str) -> None:
        super().start(container)
        found: FakeContainer = self._find(container)
        found.log = b'{"vectors": []}'
        if self.ends is not None:
            found.status, found.exit_code = "exited", self.ends


def probe(engine: Any) -> ContainerProbe:
    return ContainerProbe(engine, "0123")


def test_the_image_is_links_to_our_own_files_and_nothing_that_could_be_run_without_them():
    with tarfile.open(fileobj=io.BytesIO(probe_archive(("usr", "lib64", "bin")))) as archive:
        found = {m.name: (m.linkname if m.issym() else "folder" if m.isdir() else "file") for m in archive}
    assert found == {
        "usr": "host/usr", "bin": "host/bin", "lib64": "host/lib64", "etc": "folder", "tmp": "folder", "host": "folder",
    }  # fmt: skip
    assert probe_archive(("usr", "bin")) == probe_archive(("bin", "usr"))


def test_a_probe_says_what_it_saw_and_is_gone_afterwards():
    engine = Importing()
    assert probe(engine).run("print()", SLOT) == '{"vectors": []}'
    assert probe(engine).run("print()", SLOT) == '{"vectors": []}'
    assert engine.imported == [IMAGE]
    assert engine.held().empty
    spec = engine.made[0]
    assert spec.address == "10.213.1.250"
    assert all(mount.read_only for mount in spec.mounts)
    assert engine.made[0].name != engine.made[1].name


@pytest.mark.parametrize(("ends", "words"), [(3, "ended with 3"), (None, "did not end in time")])
def test_a_probe_that_does_not_end_well_is_an_error_with_its_words_and_gone_too(ends, words):
    engine = Importing(ends=ends)
    with pytest.raises(EngineError, match=words) as caught:
        probe(engine).run("print()", SLOT)
    assert "vectors" in caught.value.message
    assert engine.held().empty


@pytest.mark.parametrize("index", range(7))
def test_an_engine_that_fails_under_a_probe_leaves_nothing(index):
    engine = Importing(crash_at=index + 1, crash="after")
    with pytest.raises(EngineError):
        probe(engine).run("print()", SLOT)
    assert engine.held().empty
