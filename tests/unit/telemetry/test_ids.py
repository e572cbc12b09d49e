from __future__ import annotations

import random

from cleanroom.telemetry.selftrace import _SystemIds


def test_ids_do_not_come_from_the_randomness_that_a_search_seeds():
    ids, found = _SystemIds(), []
    state = random.getstate()
    try:
        for _ in range(2):
            random.seed(0)
            found += [ids.generate_span_id(), ids.generate_trace_id()]
    finally:
        random.setstate(state)
    assert len(set(found)) == 4
    assert all(0 < found[place] < 1 << 64 and 0 < found[place + 1] < 1 << 128 for place in (0, 2))
