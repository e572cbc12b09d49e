from __future__ import annotations

import pytest

from cleanroom.spec.shapes.record import Key, Record, variants
from cleanroom.spec.shapes.shape import choice, integer, items, table, text
from cleanroom.spec.shapes.value import port


def whole(record):
    return record.into(lambda fields: fields)


@pytest.fixture
def language():
    """A small language with services, faults and an expectation."""
    ready = Record(
        place="services.<name>.ready[]",
        doc="One check of readiness.",
        keys={"tcp": Key(port, "A port that accepts."), "log": Key(text, "Text in the output.", later=True)},
        exactly_one=("tcp", "log"),
    )
    service = Record(
        place="services.<name>",
        doc="A container.",
        keys={
            "image": Key(text, "The image | to run."),
            "ready": Key(items(whole(ready)), "What must hold.", default="[]"),
            "stop_grace": Key(text, "How long it has.", default="2s", example="5s", errors=("impossible",)),
        },
        required=("image",),
    )
    common = {"id": Key(text, "Its name."), "fault": Key(text, "Its kind.")}
    others = {
        f"network.other-{number}": Record(place=f"the fault network.other-{number}", keys=common)
        for number in range(10)
    }
    kill = Record(place="the fault container.kill", doc="Ends it.", keys={**common, "signal": Key(text, "A signal.")})
    loss = Record(
        place="the fault network.loss",
        keys={**common, "percent": Key(integer(1, 100), "How many.", later=True)},
        required=("percent",),
    )
    fault = variants("fault", {"container.kill": kill, "network.loss": loss, **others}, lambda node, _place: node)
    span = Record(place="expect.spans[]", keys={"kind": Key(choice("server", "client"), "Its kind.")}, not_empty=True)
    expect = Record(place="expect", keys={"spans": Key(items(whole(span)), "Spans.")})
    scenario = Record(
        place="scenarios[]",
        keys={"chaos": Key(items(fault), "Faults."), "expect": Key(whole(expect), "What must hold of it.")},
    )
    return Record(
        place="",
        keys={
            "services": Key(table(whole(service)), "The containers."),
            "scenarios": Key(items(whole(scenario)), "What happens."),
            "expect": Key(whole(expect), "What must hold of all."),
        },
    )
