"""When nothing is evidence of something: only an explicit zero of spans holds on an empty trace (spec.md section 6)."""

from __future__ import annotations

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator, allows_zero
from cleanroom.spec.operand import Operand
from cleanroom.validate.wording import NO_SPANS_REMEDY


def is_number(operand: Operand) -> bool:
    """Whether the operand is a number; true is none."""
    return isinstance(operand, (int, float)) and not isinstance(operand, (bool, Duration))


def pins_zero(comparator: Comparator) -> bool:
    """Whether a count that satisfies `comparator` can only be 0: `0`, `{lte: 0}`, `{lt: 1}` or `{in: [0]}`."""
    return allows_zero(comparator) and any(_only_zero(name, operand) for name, operand in comparator.tests)


def _only_zero(name: str, operand: Operand) -> bool:
    match name, operand:
        case ("eq" | "lte", int() | float()) if is_number(operand):
            return operand <= 0
        case ("lt", int() | float()) if is_number(operand):
            return operand <= 1
        case ("in", tuple()):
            return all(is_number(element) and element == 0 for element in operand)
        case ("between", (_, int() | float() as high)) if is_number(high):
            return high <= 0
        case _:
            return False


def remedy(*, missing: bool) -> str:
    """Return what to do when no service span arrived at all, else nothing."""
    return NO_SPANS_REMEDY if missing else ""
