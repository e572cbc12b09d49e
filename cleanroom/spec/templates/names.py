"""The names that templates know when a spec is loaded (spec.md section 1), and what they mean."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.discover import is_inside
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.templates.expression import (
    LARGEST_LIST,
    LARGEST_RESULT,
    ExpressionError,
    UnknownNameError,
    text_of,
    to_json,
)
from cleanroom.spec.templates.runtime_text import RUNTIME_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.source import Position

DEFAULT_SEED = 42
VARIABLE_PREFIX = "CLEANROOM_VAR_"
_UNSETTLED = {
    "null": ("the variable {} has no value", "give it with --var {0}=VALUE or CLEANROOM_VAR_{0}, or use default()"),
    "later": ("the variable {} has no value yet", "variables are settled in order, so that {} has to stand before"),
}
PURE_FUNCTIONS = ("sha256", "range", "to_json")
"""Functions that need nothing but their arguments: they may stand beside run-time names."""
_NO_VALUES: Mapping[str, object] = MappingProxyType({})
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What expressions may refer to."""

    variables: Mapping[str, str]
    """Variables given with the call (`--var`)."""
    environment: Mapping[str, str]
    """The environment's names that templates may read."""
    seed: int | None
    root: Path
    directory: Path
    matrix: Mapping[str, object] | None = None
    """The instance's combination; None while there is none (yet)."""
    broken: frozenset[str] = frozenset()
    """Names whose values could not be found, which has been reported: nothing more is said of those who use them."""
    files: dict[Path, str] = field(default_factory=dict)
    """Texts that `file` has read, so that asking again costs nothing."""

    def with_seed(self, seed: int) -> Names:
        """Return the same names with a seed."""
        return replace(self, seed=seed)

    def given(self) -> dict[str, object]:
        """Return the variables that do not come from the spec: of the environment, and over them those of the call."""
        of_environment = {
            name.removeprefix(VARIABLE_PREFIX): value
            for name, value in self.environment.items()
            if name.startswith(VARIABLE_PREFIX)
        }
        return {**of_environment, **self.variables}

    def known(self, variables: Mapping[str, object]) -> dict[str, object]:
        """Return every name with its value."""
        return {
            "vars": variables,
            "seed": DEFAULT_SEED if self.seed is None else self.seed,
            "env": function(self._env),
            "file": function(self._file),
            **pure_functions(),
            **({} if self.matrix is None else {"matrix": self.matrix}),
        }

    def _env(self, name: str, default: object = None) -> object:
        if name in self.environment:
            return self.environment[name]
        if default is None:
            raise UnknownNameError(f"the environment has no {shown(name)}, or it was not allowed (--allow-env)")
        return default

    def _file(self, path: object) -> str:
        place = self.directory / str(path)
        if place not in self.files:
            self.files[place] = self._read(place, shown(str(path)))
        return self.files[place]

    def _read(self, place: Path, words: str) -> str:
        if not is_inside(place, self.root):
            raise ExpressionError(f"{words} lies outside the repository")
        try:
            if place.exists() and not place.is_file():
                raise ExpressionError(f"{words} is not a file")
            with place.open("rb") as file:
                data = file.read(LARGEST_RESULT + 1)
            if len(data) > LARGEST_RESULT:
                raise ExpressionError(f"{words} is larger than {LARGEST_RESULT} bytes")
            return data.decode("utf-8")
        except OSError as err:
            raise ExpressionError(f"{words} cannot be read: {err.strerror}") from err
        except UnicodeDecodeError as err:
            raise ExpressionError(f"{words} is not UTF-8 text") from err


def pure_functions() -> dict[str, object]:
    """Return the functions of PURE_FUNCTIONS, as templates call them, for those who evaluate during a run."""
    return {"sha256": function(_sha256), "range": function(_range), "to_json": function(to_json)}


def function(call: Callable[..., object]) -> Callable[..., object]:
    """Return `call` as templates may call it."""
    import inspect  # noqa: PLC0415 -- only specs with templates need it

    signature = inspect.signature(call)
    name = call.__name__.removeprefix("_")

    def callable_by_templates(*arguments: object, **named: object) -> object:
        try:
            signature.bind(*arguments, **named)
        except TypeError as err:
            raise ExpressionError(f"{name}({', '.join(signature.parameters)}) cannot be called so: {err}") from err
        return call(*arguments, **named)

    callable_by_templates.cleanroom_function = True  # type: ignore[attr-defined]  # the sandbox calls nothing else
    return callable_by_templates


def report_unknown(name: str, known: Mapping[str, object], at: Position, log: ProblemLog, *, whole: bool) -> None:
    """Report that there is no name `name` in templates; `whole`: in a template of a whole file."""
    variables = known["vars"]
    declared = isinstance(variables, Mapping) and name in variables
    close = f"vars.{name}" if declared else nearest(name, known)
    suggestion = f"did you mean {close}?" if close else ""
    message = f"there is no name {shown(name)} in templates"
    if name == "matrix":
        message = "there is no matrix that is known here"
        suggestion = "declare one, outside of which its names are known: matrix: {name: [values]}"
    if whole and name in (*RUNTIME_NAMES, "matrix"):
        message = f"the name {name} is not known while the whole file is rendered"
        suggestion = f"put it in {{% raw %}}{{{{ {name} … }}}}{{% endraw %}}: what is raw is evaluated afterwards"
    log.report("unknown-name", at, message, expected=", ".join(sorted(known)), suggestion=suggestion)


def report_member(
    member: tuple[str, str],
    known: Mapping[str, object],
    at: Position,
    log: ProblemLog,
    *,
    whole: bool = False,
    unsettled: Mapping[str, str] = _NONE,
) -> bool:
    """Report that `vars` or `matrix` has no such key; False when it has, or it is another name.

    `whole`: in a template of a whole file. `unsettled` are declared variables without a value, and whether that comes
    "later" or is left to the environment ("null").
    """
    name, key = member
    values = known.get(name)
    if name not in ("vars", "matrix") or not isinstance(values, Mapping) or key in values:
        return False
    if name == "vars" and key in unsettled:
        message, advice = _UNSETTLED[unsettled[key]]
        log.report("unknown-variable", at, message.format(key), suggestion=advice.format(key))
        return True
    what = "variable" if name == "vars" else "axis of the matrix called"
    close = nearest(key, values)
    advice = "declare it in vars, or give it with --var NAME=VALUE" if name == "vars" else ""
    if whole and name == "vars":
        advice = "give it with --var NAME=VALUE: the spec's own vars are known afterwards only, in {% raw %}"
    suggestion = f"did you mean {name}.{close}?" if close else advice
    expected = ", ".join(sorted(values)) if name == "matrix" else ""
    log.report("unknown-variable", at, f"there is no {what} {key}", expected=expected, suggestion=suggestion)
    return True


def _sha256(text: object) -> str:
    return hashlib.sha256(text_of(text).encode("utf-8", "surrogatepass")).hexdigest()


def _range(*bounds: int) -> list[int]:
    if not 1 <= len(bounds) <= 3 or not all(isinstance(bound, int) for bound in bounds):  # noqa: PLR2004 -- as Python's
        raise ExpressionError("range takes one to three whole numbers")
    numbers = range(*bounds)
    if len(numbers) > LARGEST_LIST:
        raise ExpressionError(f"range has more than {LARGEST_LIST} items")
    return list(numbers)
