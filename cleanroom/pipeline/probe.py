"""The proof's probe container: nothing but our own file system, read-only, and our own Python, on a slot's network."""

from __future__ import annotations

import io
import os
import secrets
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import ContainerSpec, Mount
from cleanroom.errors import EngineError
from cleanroom.network.ports import Slot
from cleanroom.quantity import Duration
from cleanroom.text import tail

IMAGE = "cleanroom-probe:1"
OURS = Mount(source="/", target="/host")
# What an engine puts into a container itself, or what must be the container's own.
_OWN = frozenset({"proc", "sys", "dev", "etc", "tmp", "run", "var"})
_PATIENCE = Duration(60 * 10**9)


def probe_archive(top_level: tuple[str, ...]) -> bytes:
    """Return the image's file system: a link into `/host` for each top-level name; no program has to be copied."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in sorted(top_level):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"host/{name}"
            archive.addfile(link)
        for name in ("etc", "tmp", "host"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
    return stream.getvalue()


def make_probe_image(engine: DockerEngine) -> None:
    """Make the image where the engine does not have it yet; its containers need the mount `OURS`."""
    if not engine.has_image(IMAGE):
        names = tuple(p.name for p in Path("/").iterdir() if p.name not in _OWN)
        engine.import_image(IMAGE, probe_archive(names))


def our_python(script: str) -> tuple[str, ...]:
    """Return the words that run the text of a script by our own Python, without its packages."""
    return (os.path.realpath(sys.executable), "-I", "-S", "-c", script)


@dataclass(frozen=True, slots=True)
class ContainerProbe:
    """Runs a script in a container of an engine that shares our file system."""

    engine: DockerEngine
    run_id: str
    host: int = 250
    """Host number of the probe's address, outside the services' range."""

    def run(self, script: str, slot: Slot) -> str:
        """Run the Python text on the slot's network and return its standard output; raises `EngineError`."""
        make_probe_image(self.engine)
        name = f"clr-{self.run_id}-{slot.index}-probe-{secrets.token_hex(4)}"
        # An answer that got lost may have made the network: it is removed whatever the call said.
        try:
            self.engine.create_network(name, bridge=slot.bridge, subnet=slot.subnet, gateway=slot.gateway)
            return self._container(name, script, slot)
        finally:
            try:
                self.engine.remove(name)
            finally:
                self.engine.remove_network(name)

    def _container(self, name: str, script: str, slot: Slot) -> str:
        container = self.engine.create(
            ContainerSpec(
                name=name,
                image=IMAGE,
                entrypoint=our_python(script),
                mounts=(OURS,),
                network=name,
                address=slot.address(self.host),
                # Without it the engine's own resolver would ask the cell's, and hold the container up while it waits.
                dns=(slot.gateway,),
                init=False,
            )
        )
        self.engine.start(container)
        code = self.engine.wait(container, _PATIENCE)
        output = self.engine.logs(container)
        if code != 0:
            how = "did not end in time" if code is None else f"ended with {code}"
            raise EngineError(f"the probe of the isolated network {how}:\n{tail(output, 2000)}")
        return output.decode("utf-8", "replace")
