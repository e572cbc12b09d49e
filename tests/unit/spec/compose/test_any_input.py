from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleanroom.spec.compose.load import Imported, Wanted, import_compose
from cleanroom.spec.compose.service import TAKERS
from cleanroom.spec.compose.unsupported import HARMLESS, REFUSED
from cleanroom.spec.compose.writing import compose_spec
from cleanroom.spec.document import decode, read_document
from cleanroom.spec.problem import ProblemLog

WORDS = st.sampled_from(
    [
        "",
        "{{ x }}",
        *[
            "a",
            "b",
            "a:b",
            "./x:/y",
            "1",
            "80:80",
            "/x",
            "${A}",
            "$$",
            "CMD",
            "NONE",
            "true",
            "no",
            "1s",
            "on-failure:2",
            "~",
            "-",
            "v:/v",
            "a=b",
        ],
    ]
)
INNER = st.sampled_from(
    [
        "a",
        "context",
        "args",
        "test",
        "interval",
        "source",
        "target",
        "type",
        "size",
        "limits",
        "resources",
        "replicas",
        "condition",
        "nofile",
        "soft",
        "hard",
        "file",
        "service",
        "path",
        "required",
        "content",
        "external",
        "restart_policy",
    ]
)
VALUES = st.recursive(
    WORDS | st.integers(-2, 100_000) | st.booleans() | st.none() | st.floats(0, 10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER, inner, max_size=3),
    max_leaves=6,
)
MORE = ("extends", "profiles", "healthcheck", "links", "cap_add", "bogus")
SERVICE = st.dictionaries(st.sampled_from(sorted({*TAKERS, *HARMLESS, *REFUSED, *MORE})), VALUES, max_size=6)
FILE = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from(["a", "b", "c"]), SERVICE | VALUES, max_size=3)},
    optional=dict.fromkeys(("volumes", "configs", "secrets", "networks", "name", "include", "bogus"), VALUES),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(FILE)
def test_any_compose_file_is_imported_or_refused_with_its_place(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compose.yaml"
        path.write_text(json.dumps(content))
        imported = import_compose(Wanted(path=path, profiles=("*",)), Path(folder), Path(folder))
    if isinstance(imported, Imported):
        log = ProblemLog("x.cleanroom.yaml")
        read_document(decode(compose_spec(imported, "compose.yaml").encode(), log), log)
        assert log.sorted() == ()
        for name, service in content["services"].items():
            if isinstance(service, dict) and "bogus" in service and service["bogus"] is not None:
                assert any(one.name == f"services.{name}.bogus" for one in imported.dropped)
    else:
        assert imported
        assert all(problem.at.file == "compose.yaml" and problem.at.line == 1 for problem in imported)
