from __future__ import annotations

import textwrap

import pytest

from cleanroom.spec.compose.load import Imported, Wanted, import_compose
from cleanroom.spec.writing import plain_data


class Project:
    """A folder with a Compose file in it."""

    def __init__(self, root):
        self.root = root

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def load(self, text, **wanted):
        path = self.write("compose.yaml", text)
        return import_compose(Wanted(path=path, **wanted), self.root, self.root)

    def services(self, text, **wanted):
        """Return the services, and what was refused, by name."""
        imported = self.load(text, **wanted)
        assert isinstance(imported, Imported), imported
        refused = {one.name: one.reason for one in imported.dropped if one.weight == "refused"}
        return plain_data(imported.services), refused

    def service(self, text):
        """Return the one service of which `text` holds the keys, and what was refused, by the end of its name."""
        made, refused = self.services("services:\n  a:\n" + textwrap.indent(textwrap.dedent(text), "    "))
        return made["a"], {name.removeprefix("services.a."): reason for name, reason in refused.items()}

    def problems(self, text, **wanted):
        found = self.load(text, **wanted)
        assert isinstance(found, tuple), found
        return [(str(problem.at), problem.code) for problem in found]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)
