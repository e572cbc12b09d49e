"""The shape of `chaos` (spec.md section 8)."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration
from cleanroom.spec.document import Items, Node, Scalar, Table
from cleanroom.spec.fault import AtOffset, Fault, ParameterValue, Repeat
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.shapes.moment import moment
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.shapes.record import Key, Record, variants
from cleanroom.spec.shapes.shape import Shape, boolean, choice, fixed_text, integer, items, name, number
from cleanroom.spec.shapes.target import target
from cleanroom.spec.shapes.value import port, positive_duration, reason
from cleanroom.spec.source import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.shapes.fault_kind import Kind
    from cleanroom.spec.shapes.record import Fields

_UNTIL = Record(
    place="scenarios[].chaos[].until",
    doc="The moment at which a fault ends.",
    keys={
        "step": Key(
            fixed_text, "The fault is reverted just before this step starts.", example="check", errors=("unknown-step",)
        )
    },
    required=("step",),
)
_REPEAT = Record(
    place="scenarios[].chaos[].repeat",
    doc="A fault that strikes several times.",
    keys={
        "every": Key(positive_duration, "The time from begin to begin.", example="1s"),
        "times": Key(integer(1, 10_000), "The number of occurrences, the first one included.", example="10"),
    },
    required=("every", "times"),
)  # fmt: skip


def _until(node: Node, place: Place) -> str:
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
        raise place.wrong(node, "a mapping with the key step", suggestion=f"write {{step: {node.value}}}")
    step: str = _UNTIL(node, place).values["step"]
    return step


def _pair(node: Node, place: Place) -> tuple[str, ...]:
    pair = items(fixed_text)(node, place)
    if not isinstance(node, Items) or len(node.items) != 2:  # noqa: PLR2004 -- a pair
        raise place.wrong(node, "two different services", code="wrong-value")
    if len(pair) != len(node.items):
        raise RefusedError
    if pair[0] == pair[1]:
        raise place.wrong(node, "two different services", code="wrong-value")
    return pair


_pair_shape = Shape(
    _pair,
    "two different services",
    {"type": "array", "items": fixed_text, "minItems": 2, "maxItems": 2, "uniqueItems": True},
    example="[api, db]",
)
_COMMON: Mapping[str, Key] = MappingProxyType({
    "id": Key(name, "The name of the fault, unique in its scenario: steps and expectations refer to it.",
              example="slow-db", errors=("duplicate-fault",)),
    "at": Key(moment, "When it begins.", default="0s", example="2s", errors=("unknown-step", "never-injected")),
    "probability": Key(number(0, 1), "The chance of each occurrence, drawn when the plan is made.", default="1.0",
                       example="0.5"),
    "repeat": Key(_REPEAT.making(Repeat), "More than one occurrence.", example="{every: 1s, times: 10}",
                  errors=("contradiction",)),
    "verify": Key(boolean, "Whether its effect is measured from outside; `false` needs `verify_reason`.",
                  default="true", example="false", errors=("missing-key",)),
    "verify_reason": Key(fixed_text, "Why its effect is not measured.", example="nothing outside can see it",
                         errors=("contradiction",)),
    "allow_inconclusive": Key(reason, "Why a run passes although there is no evidence of this fault.",
                              example="{reason: the machine may lack netem}"),
})  # fmt: skip
_WINDOW: Mapping[str, Key] = MappingProxyType({
    "for": Key(positive_duration, "How long each occurrence lasts. Without it and `until`: until the steps end.",
               example="10s", errors=("contradiction",)),
    "until": Key(Shape(_until, "a mapping", _UNTIL), "The step before which it ends.", example="{step: check}",
                 errors=("contradiction", "unknown-step", "impossible")),
})  # fmt: skip
_TARGET = Key(
    target,
    "Whom it strikes: a service, or `{any_of, count}`, `{all: true}`, `{label: tier=storage}`, `{replica: 2, of: db}`.",
    example="db",
    errors=("unknown-service", "unknown-label", "unknown-replica"),
)
_NETWORK: Mapping[str, Key] = MappingProxyType({
    "between": Key(_pair_shape, "Limits it to the traffic of this pair, instead of a target.",
                   errors=("unknown-service",)),
    "direction": Key(choice("egress", "ingress", "both"), "Which traffic of the target.", default="egress",
                     example="both"),
    "ports": Key(items(port, at_least=1), "Only traffic from or to these ports.", example="[5432]"),
    "protocol": Key(choice("tcp", "udp", "any"), "Only this protocol.", default="any", example="tcp"),
})  # fmt: skip


_DIRECTED = {
    "egress": _NETWORK["direction"],
    "ingress": replace(_NETWORK["direction"], default="ingress", example="both"),
    "both": replace(_NETWORK["direction"], default="both", example="egress"),
}


def _network(known: Kind) -> dict[str, Key]:
    """Return the keys of a fault on a link; which direction it has by itself depends on what it does."""
    return {**_NETWORK, "direction": _DIRECTED[known.direction]} if known.of_network else {}


def _kind_shape(kind: str) -> Shape[str]:
    """Return the shape of the key `fault` in the record of this kind; `_kind_of` has read it before."""
    return Shape(lambda _node, _place: kind, kind, {"const": kind}, example=kind, choices=(kind,))


def _parameters(kind: str, known: Kind) -> dict[str, Key]:
    if not known.nested:
        return dict(known.parameters)
    inside = Record(
        place=f"the fault {kind}.parameters",
        doc=f"The parameters of {kind}: not beside its other keys, some of which are called alike.",
        keys=known.parameters,
        required=known.required,
    )
    shown_keys = known.required or tuple(known.parameters)
    written = ((key, known.parameters[key]) for key in shown_keys)
    example = ", ".join(f"{key}: {value.example or value.shape.example}" for key, value in written)
    return {"parameters": Key(inside.into(_complete), "The parameters of this fault.", example=f"{{{example}}}")}


def _complete(fields: Fields) -> Mapping[str, ParameterValue]:
    """Return what a record of parameters read; raises RefusedError when one of them did not fit."""
    if any(key not in fields.values for key in fields.written):
        raise RefusedError
    return MappingProxyType(fields.values)


def _record(kind: str, known: Kind) -> Record:
    who = known.struck_by if len(known.struck_by) > 1 else ()
    needed = known.struck_by if len(known.struck_by) == 1 and not known.may_lack_target else ()
    own = _parameters(kind, known)
    keys = {
        "id": _COMMON["id"],
        "fault": Key(_kind_shape(kind), "Which fault it is: `family.fault`.", errors=("unknown-fault",)),
        **({"target": _TARGET} if known.struck_by else {}),
        **_network(known),
        **{key: value for key, value in _COMMON.items() if key != "id"},
        **({} if known.instant else _WINDOW),
        "backend": Key(choice("auto", *known.rungs), "The mechanism: the best that the machine has, or one by name.",
                       default="auto"),
        **own,
    }  # fmt: skip
    inside = ("parameters",) if known.nested and known.required else ()
    return Record(
        place=f"the fault {kind}",
        doc=known.doc,
        keys=MappingProxyType(keys),
        required=("id", "fault", *needed, *(inside if known.nested else known.required)),
        exactly_one=known.exactly_one,
        at_least_one=who or known.at_least_one,
        at_most_one=(*known.at_most_one, *((who,) if who else ()), *(() if known.instant else (("for", "until"),))),
        needs=MappingProxyType({"verify_reason": "verify", **known.needs}),
        advice=MappingProxyType(_advice(known)),
    )


def _advice(known: Kind) -> dict[str, str]:
    advice: dict[str, str] = {}
    if known.instant:
        advice |= dict.fromkeys(_WINDOW, "this fault happens and is over: take the key out")
    if not known.struck_by:
        advice["target"] = "its parameters say whom it strikes: take the key out"
    if known.nested:
        advice |= {key: f"write it under parameters: {{{key}: …}}" for key in known.parameters}
    return advice


RECORDS: Mapping[str, Record] = MappingProxyType({kind: _record(kind, known) for kind, known in FAULTS.items()})
"""For every kind of fault, what an entry of `chaos` with it may say."""


@cache
def defaults_of(kind: str) -> Mapping[str, ParameterValue]:
    """Return the values of the parameters that may be left out, read from what the documentation says they are."""
    found: dict[str, ParameterValue] = {}
    for parameter, key in FAULTS[kind].parameters.items():
        if key.default:
            found[parameter] = key.shape(_node(key.default), _DETACHED)
    if kind == "container.kill":
        # No word of the language says it: the service's own policy if it has one, else a start at the fault's end.
        found["revive"] = "default"
    return MappingProxyType(found)


_DETACHED = Place(log=None)  # type: ignore[arg-type] # a default fits its shape, so nothing is reported


def _node(text: str) -> Node:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(value, list):
        inner = tuple(Scalar(value=item, text=str(item), at=NOWHERE) for item in value)
        return Items(items=inner, at=NOWHERE, size=len(inner) + 1)
    return Scalar(value=value, text=text, at=NOWHERE)


def _kind_of(node: Table, place: Place) -> str:
    """Return the kind of fault that `node` names; reports one that does not exist."""
    named = node.get("fault")
    if named is None:
        place.log.report("missing-key", node.at, f'{place.path} needs the key "fault"', expected="a key fault")
        raise RefusedError
    kind = fixed_text(named, place.key("fault"))
    if kind in FAULTS:
        return kind
    tails: dict[str, list[str]] = {}
    for full in FAULTS:
        tails.setdefault(full.rpartition(".")[2], []).append(full)
    close = " or ".join(tails.get(kind.rpartition(".")[2], ())) or nearest(kind, FAULTS)
    close = close or " or ".join(tails.get(nearest(kind, tails), ()))
    suggestion = f"did you mean {close}?" if close else ""
    message = f"there is no fault {shown(kind)}"
    expected = "family.fault, as the catalogue names them"
    place.log.report("unknown-fault", named.at, message, expected=expected, suggestion=suggestion)
    raise RefusedError


def _fault(node: Node, place: Place) -> Fault:
    """Read one entry of `chaos`, with the parameters that its fault takes."""
    if not isinstance(node, Table):
        raise place.wrong(node, "a mapping with the keys id, fault, target, …")
    kind = _kind_of(node, place)
    known = FAULTS[kind]
    if not known.available:
        named = node.get("fault")
        place.later(named.at if named else node.at, f"the fault {kind}")
    fields = RECORDS[kind](node, place)
    _check_verify(node, fields.written, place)
    _check_manual(node, fields.written, place)
    values = fields.values
    if any(key not in values for key in fields.written & RECORDS[kind].keys.keys()):
        raise RefusedError  # what is checked across faults would be told of a value that nobody wrote
    values.pop("fault")
    if known.nested:
        given = dict(values.pop("parameters", {}))
    else:
        given = {key: values.pop(key) for key in known.parameters if key in values}
    if kind == "custom" and given["verify"] is False:
        values["verify"] = given.pop("verify")
    if known.of_network:
        values.setdefault("direction", known.direction)
    return Fault(
        kind=kind,
        at=node.at,
        moment=values.pop("at", AtOffset(offset=Duration(0))),
        duration=values.pop("for", None),
        until_step=values.pop("until", ""),
        parameters=MappingProxyType({**defaults_of(kind), **given}),
        **values,
    )


fault = variants("fault", RECORDS, _fault)
"""One entry of `chaos`: its keys depend on its `fault`."""


def _check_verify(node: Table, written: frozenset[str], place: Place) -> None:
    verified = node.get("verify")
    off = isinstance(verified, Scalar) and verified.value is False
    if off and "verify_reason" not in written:
        message = f"{place.path} does not verify its effect and gives no reason"
        place.log.report("missing-key", node.key_at("verify"), message, expected="a key verify_reason")
    if "verify_reason" in written and not off and verified is not None:
        message = f"{place.path} gives a reason not to verify, and verifies"
        place.log.report("contradiction", node.key_at("verify_reason"), message, expected="verify: false beside it")


def _check_manual(node: Table, written: frozenset[str], place: Place) -> None:
    at = node.get("at")
    if "repeat" in written and isinstance(at, Scalar) and at.value == "manual":
        place.log.report("contradiction", node.key_at("repeat"), f"{place.path} is manual: steps inject it, once each")


def value_of(kind: str, parameter: str, written: bool | float | str) -> ParameterValue:
    """Return a value of this parameter from a scalar that has been checked to be one (`values` of a sweep)."""
    text = json.dumps(written) if isinstance(written, bool) else str(written)
    shape = FAULTS[kind].parameters[parameter].shape
    found: ParameterValue = shape(Scalar(value=written, text=text, at=NOWHERE), _DETACHED)
    return found
