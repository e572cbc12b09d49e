from __future__ import annotations

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.access import access_of
from cleanroom.spec.load import load_suite
from cleanroom.spec.suite import Suite

SPEC = """
cleanroom: 1
services:
  db: {image: i, ready: [{tcp: 5432}, {sql: {user: app, password: p, query: select 1}}]}
  other: {image: i}
  cache: {image: i}
scenarios:
  - name: s
    steps:
      - {name: a, sql: {service: db, user: late, query: select 2}}
      - {name: b, parallel: [{name: c, sql: {service: other, user: in, query: select 3, port: 6543}}]}
      - {name: d, redis: {service: cache, port: 7000, commands: [[ping]]}}
    expect: {counts: {errors: 0}}
"""


def load(folder):
    path = folder / "x.cleanroom.yaml"
    path.write_text(SPEC, encoding="utf-8")
    found = load_suite(path, root=folder, variables={}, environment={})
    assert isinstance(found, Suite), found
    return found


def test_readiness_comes_first_and_then_the_order_of_the_file(tmp_path):
    access = access_of(load(tmp_path))
    assert access.sql_of("db").user == "app"
    assert (access.sql_of("other").user, access.sql_of("other").port) == ("in", 6543)
    assert (access.redis_of("cache").port, access.redis_of("db").port) == (7000, 6379)
    with pytest.raises(CapabilityError, match="how to get into the database of cache") as caught:
        access.sql_of("cache")
    assert "`ready`" in caught.value.remedy
