"""The shape of `chaos` (spec.md section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.quantity import Duration
from cleanroom.spec.catalogue import FAULTS
from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.fault import AtManual, AtOffset, AtStep, Fault, Moment, Repeat, Target
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.shapes.shape import (
    Record,
    RefusedError,
    boolean,
    choice,
    integer,
    items,
    name,
    not_available,
    number,
    text,
)
from cleanroom.spec.shapes.value import duration, port, positive_duration, reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.fault import ParameterValue
    from cleanroom.spec.shapes.shape import Place, Shape

_SIGNALS = ("KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV", "BUS", "FPE", "ILL")
_TARGET = Record(
    place="scenarios[].chaos[].target",
    keys={"name": text, "any_of": items(text, at_least=1), "count": integer(1), "all": boolean},
    later=frozenset({"label", "replica", "of"}),
)
_AT = Record(
    place="scenarios[].chaos[].at",
    keys={"before_step": text, "after_step": text, "during_step": text, "offset": duration},
    later=frozenset({"when"}),
)
_UNTIL = Record(place="scenarios[].chaos[].until", keys={"step": text}, required=("step",))
_REPEAT = Record(
    place="scenarios[].chaos[].repeat",
    keys={"every": positive_duration, "times": integer(1, 10_000)},
    required=("every", "times"),
)


def _signal(node: Node, place: Place) -> str:
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.removeprefix("SIG") in _SIGNALS:
        return node.value.removeprefix("SIG")
    return choice(*_SIGNALS)(node, place)


def _percent(node: Node, place: Place) -> float:
    """Read a percentage: `25` or `25%`."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.endswith("%"):
        try:
            share = float(node.value[:-1])
        except ValueError:
            share = -1.0
        if 0 <= share <= 100:  # noqa: PLR2004
            return share
        raise place.wrong(node, "a percentage from 0 to 100", code="wrong-value")
    return number(0, 100)(node, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """A fault of this version: the shapes of its parameters, the defaults of those left out, its rungs."""

    parameters: Mapping[str, Shape[Any]]
    defaults: Mapping[str, ParameterValue]
    required: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    of_network: bool = False


AVAILABLE: Mapping[str, Available] = MappingProxyType(
    {
        "container.kill": Available(
            parameters={"signal": _signal, "revive": choice("policy", "start", "none")},
            # "default": the service's own policy if it has one, else a start at the fault's end.
            defaults={"signal": "KILL", "revive": "default"},
            backends=("api", "pid"),
        ),
        "network.latency": Available(
            parameters={
                "delay": positive_duration,
                "jitter": duration,
                "distribution": choice("uniform", "normal", "pareto"),
                "correlation": _percent,
            },
            defaults={"jitter": Duration(0), "distribution": "uniform", "correlation": 0.0},
            required=("delay",),
            backends=("netem", "nfqueue"),
            of_network=True,
        ),
    }
)


def _target(node: Node, place: Place) -> Target:
    if isinstance(node, Scalar):
        return Target(service=text(node, place))
    fields = _TARGET(node, place)
    if len(fields.written & {"name", "any_of", "all", "label", "replica"}) != 1:
        raise place.wrong(node, "exactly one of name, any_of or all", code="one-of")
    if fields.written & _TARGET.later or not fields.values:
        raise RefusedError
    values = fields.values
    if "count" in fields.written and "any_of" not in fields.written:
        raise place.wrong(node, "count beside any_of only", code="contradiction")
    if values.get("all") is False:
        raise place.wrong(node, "all: true, or the name of a service", code="contradiction")
    if values.get("count", 1) > len(values.get("any_of", (None,))):
        expected = f"at most {len(values['any_of'])}, the length of any_of"
        raise place.key("count").wrong(fields.node.get("count") or node, expected, code="wrong-value")
    return Target(
        service=values.get("name", ""),
        any_of=values.get("any_of", ()),
        count=values.get("count", 1),
        all=values.get("all", False),
    )


def _moment(node: Node, place: Place) -> Moment:
    if isinstance(node, Scalar):
        return AtManual() if node.value == "manual" else AtOffset(offset=duration(node, place))
    fields = _AT(node, place)
    steps = [key for key in ("before_step", "after_step", "during_step") if key in fields.written]
    if len(steps) + ("when" in fields.written) != 1:
        expected = "a duration, manual, or exactly one of before_step, after_step and during_step"
        raise place.wrong(node, expected, code="one-of")
    if not steps or steps[0] not in fields.values:
        raise RefusedError
    if "offset" in fields.written and steps[0] != "during_step":
        raise place.key("offset").wrong(node, "during_step beside it", code="contradiction")
    moment = steps[0].removesuffix("_step")
    offset = fields.values.get("offset", Duration(0))
    match moment:
        case "before":
            return AtStep(moment="before", step=fields.values[steps[0]])
        case "after":
            return AtStep(moment="after", step=fields.values[steps[0]])
        case _:
            return AtStep(moment="during", step=fields.values[steps[0]], offset=offset)


def _pair(node: Node, place: Place) -> tuple[str, ...]:
    pair = items(text)(node, place)
    if len(pair) != 2 or pair[0] == pair[1]:  # noqa: PLR2004
        raise place.wrong(node, "two different services", code="wrong-value")
    return pair


_COMMON: dict[str, Shape[Any]] = {
    "id": name,
    "fault": text,
    "target": _target,
    "at": _moment,
    "for": positive_duration,
    "until": lambda node, place: _UNTIL(node, place).values["step"],
    "probability": number(0, 1),
    "repeat": lambda node, place: Repeat(**_REPEAT(node, place).values),
    "verify": boolean,
    "verify_reason": text,
    "allow_inconclusive": reason,
}
_NETWORK: dict[str, Shape[Any]] = {
    "between": _pair,
    "direction": choice("egress", "ingress", "both"),
    "ports": items(port, at_least=1),
    "protocol": choice("tcp", "udp", "any"),
}
RECORDS = (
    Record(place="scenarios[].chaos[]", keys={**_COMMON, "backend": text}),
    Record(place="a network fault of scenarios[].chaos[]", keys=_NETWORK),
    *(
        Record(place=f"the fault {kind}", keys=dict.fromkeys(parameters, text))
        for kind, parameters in FAULTS.items()
    ),
    _TARGET, _AT, _UNTIL, _REPEAT,
)  # fmt: skip


def _available(node: Table, place: Place) -> tuple[str, Available]:
    """Return the fault that `node` names and what is known of it; reports one that does not exist or is not built."""
    named = node.get("fault")
    if named is None:
        place.log.report("missing-key", node.at, f'{place.path} needs the key "fault"', expected="a key fault")
        raise RefusedError
    kind = text(named, place.key("fault"))
    if kind in AVAILABLE:
        return kind, AVAILABLE[kind]
    if kind in FAULTS:
        raise not_available(named, place.key("fault"), f"the fault {shown(kind)}")
    tails = {full.rpartition(".")[2]: full for full in FAULTS}
    close = tails.get(kind) or nearest(kind, FAULTS)
    suggestion = f"did you mean {close}?" if close else ""
    message = f"there is no fault {shown(kind)}"
    expected = "family.fault, as the catalogue names them"
    place.log.report("unknown-fault", named.at, message, expected=expected, suggestion=suggestion)
    raise RefusedError


def fault(node: Node, place: Place) -> Fault:
    """Read one entry of `chaos`, with the parameters that its fault takes."""
    if not isinstance(node, Table):
        raise place.wrong(node, "a mapping with the keys id, fault, target, …")
    kind, available = _available(node, place)
    keys = {
        **_COMMON,
        "backend": choice("auto", *available.backends),
        **available.parameters,
        **(_NETWORK if available.of_network else {}),
    }
    record = Record(place=f"the fault {kind}", keys=keys, required=("id", *available.required))
    fields = record(node, place)
    _check(node, fields.written, place)
    values = fields.values
    given = {key: values.pop(key) for key in available.parameters if key in values}
    parameters = MappingProxyType({**available.defaults, **given})
    values.pop("fault", None)
    return Fault(
        kind=kind,
        at=node.at,
        moment=values.pop("at", AtOffset(offset=Duration(0))),
        duration=values.pop("for", None),
        until_step=values.pop("until", ""),
        parameters=parameters,
        **values,
    )


def _check(node: Table, written: frozenset[str], place: Place) -> None:
    if not written & {"target", "between"}:
        place.log.report("missing-key", node.at, f'{place.path} needs the key "target"', expected="whom it strikes")
    if {"target", "between"} <= written:
        place.log.report("one-of", node.key_at("between"), f"{place.path} takes target or between, not both")
    if {"for", "until"} <= written:
        message = f"{place.path} takes for or until, not both"
        place.log.report("contradiction", node.key_at("until"), message)
    verified = node.get("verify")
    off = isinstance(verified, Scalar) and verified.value is False
    if off and "verify_reason" not in written:
        message = f"{place.path} does not verify its effect and gives no reason"
        place.log.report("missing-key", node.key_at("verify"), message, expected="a key verify_reason")
    if "verify_reason" in written and not off:
        message = f"{place.path} gives a reason not to verify, and verifies"
        place.log.report("contradiction", node.key_at("verify_reason"), message, expected="verify: false beside it")
    if "repeat" in written and isinstance(at := node.get("at"), Scalar) and at.value == "manual":
        place.log.report("contradiction", node.key_at("repeat"), f"{place.path} is manual: steps inject it, once each")
