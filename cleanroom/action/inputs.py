"""The runner's environment, read once into one frozen value: `INPUT_*` and `GITHUB_*` (metadata syntax for actions)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal, TypeAlias, cast, get_args

from cleanroom.errors import UsageError
from cleanroom.quantity import Duration, parse_duration
from cleanroom.run.pass_rate import PassRate, read_pass_rates
from cleanroom.run.tier_timeout import read_tier_timeouts
from cleanroom.spec.suite import TIERS, Tier

EngineMode: TypeAlias = Literal["auto", "cell", "own", "host"]
FailOn: TypeAlias = Literal["failure", "inconclusive", "nondeterminism"]

DEFAULT_SPECS = "**/*.cleanroom.yaml"
DEFAULT_REPORT = "cleanroom-report"
INPUTS = (
    "specs",
    "tags",
    "tier",
    "tier-timeouts",
    "min-pass-rate",
    "max-failures",
    "budget",
    "iterations",
    "seed",
    "engine",
    "variables",
    "allow-env",
    "fail-on",
    "fail-on-empty",
    "image-cache",
    "registry-auth",
    "report-dir",
    "summary",
    "annotations",
)
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# These carry the job's credentials, or are the runner's own: no spec may read them, allowed or not.
_NEVER = ("ACTIONS_", "INPUT_", "STATE_", "GITHUB_TOKEN", "DOCKER_")
# Without a registry's name: the one that the engine asks for short names.
_CREDENTIALS = re.compile(r"(?:(?P<registry>[A-Za-z0-9.-]+(?::[0-9]+)?)=)?(?P<username>[^:=\s]+):(?P<password>.+)")
_MOST_ITERATIONS = 100
_MOST_FAILURES = 1_000_000
_MOST_SEED = 1 << 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    """Credentials for one registry ("" for the engine's default); they reach the pull and nothing else."""

    registry: str
    username: str
    password: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be seen: the password, and both as a registry's header carries them."""
        basic = base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")
        return (self.password, f"{self.username}:{self.password}", basic)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInputs:
    """What the workflow asked for; paths are absolute and inside the workspace, patterns relative to it."""

    workspace: Path
    report_dir: Path
    specs: tuple[str, ...] = (DEFAULT_SPECS,)
    tags: tuple[str, ...] = ()
    tier: Tier | None = None
    tier_timeouts: Mapping[str, Duration] = field(default_factory=lambda: MappingProxyType({}))
    pass_rates: tuple[PassRate, ...] = ()
    max_failures: int | None = None
    budget: Duration | None = None
    iterations: int | None = None
    seed: int | None = None
    random_seed: bool = False
    engine: EngineMode = "auto"
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The variables that `allow-env` names, with their values, and those that start with `CLEANROOM_`."""
    allowed: tuple[str, ...] = ()
    fail_on: frozenset[FailOn] = frozenset(get_args(FailOn))
    fail_on_empty: bool = True
    image_cache: Literal["auto", "off"] = "auto"
    registry_auth: tuple[RegistryAuth, ...] = ()
    summary: bool = True
    annotations: bool = True
    repository: str = ""
    output_file: str = ""
    state_file: str = ""
    summary_file: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must be masked in logs and reports."""
        return tuple(secret for auth in self.registry_auth for secret in auth.secrets if secret)

    def relative(self, path: Path) -> str:
        """Return `path` relative to the workspace, as the steps after this one can use it."""
        return path.relative_to(self.workspace).as_posix()


def read_inputs(environ: Mapping[str, str]) -> ActionInputs:
    """Return the action's inputs; raises `UsageError` that names the input, what it is and what it should be."""
    workspace = _workspace(environ)
    iterations = _number(environ, "iterations", 1, _MOST_ITERATIONS)
    seed = _get(environ, "seed")
    allowed = _allowed(environ)
    return ActionInputs(
        workspace=workspace,
        report_dir=_report_dir(environ, workspace),
        specs=tuple(_pattern(text, environ, workspace) for text in _items(environ, "specs")) or (DEFAULT_SPECS,),
        tags=_items(environ, "tags"),
        tier=cast("Tier | None", _choice(environ, "tier", TIERS, "") or None),
        tier_timeouts=MappingProxyType(_tier_timeouts(environ)),
        pass_rates=_pass_rates(environ),
        max_failures=_number(environ, "max-failures", 1, _MOST_FAILURES),
        budget=_budget(environ),
        iterations=iterations,
        seed=None if seed == "random" else _number(environ, "seed", 0, _MOST_SEED - 1),
        random_seed=seed == "random",
        engine=cast("EngineMode", _choice(environ, "engine", get_args(EngineMode), "auto")),
        variables=MappingProxyType(_variables(environ)),
        environment=MappingProxyType(_visible(environ, allowed)),
        allowed=allowed,
        fail_on=_fail_on(environ),
        fail_on_empty=_boolean(environ, "fail-on-empty", default=True),
        image_cache=cast("Literal['auto', 'off']", _choice(environ, "image-cache", ("auto", "off"), "auto")),
        registry_auth=_registry_auth(environ),
        summary=_boolean(environ, "summary", default=True),
        annotations=_boolean(environ, "annotations", default=True),
        repository=environ.get("GITHUB_REPOSITORY", ""),
        output_file=environ.get("GITHUB_OUTPUT", ""),
        state_file=environ.get("GITHUB_STATE", ""),
        summary_file=environ.get("GITHUB_STEP_SUMMARY", ""),
    )


def raw_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what of the inputs must be masked before anything else is said, well-formed or not."""
    lines = [line.strip() for line in environ.get("INPUT_REGISTRY-AUTH", "").splitlines()]
    passwords = [match["password"] for line in lines if (match := _CREDENTIALS.fullmatch(line))]
    return tuple(dict.fromkeys(text for text in (*passwords, *lines) if text))


def _get(environ: Mapping[str, str], name: str) -> str:
    """Return an input, trimmed; the runner gives every input, and an empty one is an unset one."""
    return environ.get(f"INPUT_{name.upper()}", "").strip()


def _items(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return a list given by newlines or commas; a brace group of a glob keeps its commas."""
    parts = re.split(r"[\n,](?![^{}\n]*\})", _get(environ, name))
    return tuple(part.strip() for part in parts if part.strip())


def _lines(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in _get(environ, name).splitlines() if line.strip())


def _boolean(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = _get(environ, name)
    if not text:
        return default
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise UsageError(f"input {name}: {text!r} is no boolean", remedy="write true or false")


def _choice(environ: Mapping[str, str], name: str, known: tuple[str, ...], default: str) -> str:
    text = _get(environ, name) or default
    if text not in known and text != default:
        raise UsageError(f"input {name}: {text!r} is not known", remedy=f"write one of {', '.join(known)}")
    return text


def _number(environ: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = _get(environ, name)
    if not text:
        return None
    number = int(text) if re.fullmatch(r"[0-9]{1,20}", text) else -1
    if not least <= number <= most:
        hint = " or `random`" if name == "seed" else ""
        raise UsageError(f"input {name}: {text[:40]!r}", remedy=f"write a whole number from {least} to {most}{hint}")
    return number


def _pass_rates(environ: Mapping[str, str]) -> tuple[PassRate, ...]:
    try:
        return read_pass_rates(_items(environ, "min-pass-rate"))
    except ValueError as err:
        raise UsageError(f"input min-pass-rate: {err}") from err


def _tier_timeouts(environ: Mapping[str, str]) -> dict[str, Duration]:
    try:
        return read_tier_timeouts(_items(environ, "tier-timeouts"))
    except ValueError as err:
        raise UsageError(f"input tier-timeouts: {err}") from err


def _budget(environ: Mapping[str, str]) -> Duration | None:
    text = _get(environ, "budget")
    try:
        found = parse_duration(text) if text else None
    except ValueError as err:
        raise UsageError(f"input budget: {err}", remedy="write a time like 10m") from err
    if found is not None and not found.ns:
        raise UsageError("input budget: nothing could ever start in no time", remedy="write a time like 10m")
    return found


def _workspace(environ: Mapping[str, str]) -> Path:
    text = environ.get("GITHUB_WORKSPACE", "")
    path = Path(text)
    if not text or not path.is_absolute() or not path.is_dir():
        raise UsageError(
            f"GITHUB_WORKSPACE is {text!r}, and there is no such folder",
            remedy="run this as a step of a workflow, after a checkout; elsewhere use `cleanroom run`",
        )
    return path


def _report_dir(environ: Mapping[str, str], workspace: Path) -> Path:
    text = _unmapped(_get(environ, "report-dir") or DEFAULT_REPORT, environ, workspace)
    path = workspace / text
    real, root = path.resolve(), workspace.resolve()
    if real == root or not real.is_relative_to(root) or ".." in PurePosixPath(text).parts:
        raise UsageError(f"input report-dir: {text!r} is not inside the workspace", remedy="name a folder in it")
    if not path.is_relative_to(workspace):
        raise UsageError(f"input report-dir: {text!r} is not inside the workspace", remedy="name a folder in it")
    if any(part.startswith(".") or set(part) & set('":<>|*?\\\r\n') for part in path.relative_to(workspace).parts):
        raise UsageError(
            f"input report-dir: {text!r} is a name that artifacts skip or refuse",
            remedy="use no leading dot, and none of the characters that artifact names cannot have",
        )
    return path


def _pattern(text: str, environ: Mapping[str, str], workspace: Path) -> str:
    """Return a spec pattern relative to the workspace."""
    mapped = _unmapped(text, environ, workspace)
    path = PurePosixPath(mapped)
    if path.is_absolute():
        try:
            path = path.relative_to(PurePosixPath(workspace))
        except ValueError:
            raise UsageError(
                f"input specs: {text!r} lies outside of the workspace", remedy="give paths relative to the repository"
            ) from None
    if ".." in path.parts:
        raise UsageError(f"input specs: {text!r} leads out of the workspace", remedy="give paths without `..`")
    return str(path)


def _unmapped(text: str, environ: Mapping[str, str], workspace: Path) -> str:
    """Map a job container's view of the checkout, `/__w/<repo>/<repo>`, which does not exist here, to ours."""
    name = environ.get("GITHUB_REPOSITORY", "").rpartition("/")[2]
    prefix = f"/__w/{name}/{name}"
    if name and (text == prefix or text.startswith(f"{prefix}/")):
        return str(workspace) + text.removeprefix(prefix)
    return text


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _lines(environ, "variables"):
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name):
            raise UsageError(f"input variables: {line[:80]!r}", remedy="write one name=value a line")
        if name in found:
            raise UsageError(f"input variables: {name} is given twice", remedy="keep one of the two lines")
        found[name] = value.strip()
    return found


def _allowed(environ: Mapping[str, str]) -> tuple[str, ...]:
    names = _items(environ, "allow-env")
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"input allow-env: {name!r} is no name of a variable", remedy="give exact names, no globs")
        if name.startswith(_NEVER):
            raise UsageError(
                f"input allow-env: {name} belongs to the runner and may hold a credential",
                remedy="pass the value you need by another name, with the step's env",
            )
    return names


def _visible(environ: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    internal = ("CLEANROOM_JOB", "CLEANROOM_IMAGE", "CLEANROOM_CELL")
    return {
        name: value
        for name, value in environ.items()
        if name in allowed or (name.startswith("CLEANROOM_") and name not in internal)
    }


def _fail_on(environ: Mapping[str, str]) -> frozenset[FailOn]:
    items = _items(environ, "fail-on")
    known: tuple[FailOn, ...] = get_args(FailOn)
    if not items:
        return frozenset(known)
    if items == ("never",):
        return frozenset()
    for item in items:
        if item not in known:
            raise UsageError(
                f"input fail-on: {item!r} is not known", remedy=f"write some of {', '.join(known)}, or never alone"
            )
    return frozenset(cast("tuple[FailOn, ...]", items))


def _registry_auth(environ: Mapping[str, str]) -> tuple[RegistryAuth, ...]:
    found: dict[str, RegistryAuth] = {}
    for number, line in enumerate(_lines(environ, "registry-auth"), 1):
        match = _CREDENTIALS.fullmatch(line)
        if match is None:
            # The line itself is a secret: only its number may be said.
            raise UsageError(
                f"input registry-auth: line {number} cannot be read",
                remedy="write registry=username:password, one a line (username:password for the engine's own registry)",
            )
        registry = match["registry"] or ""
        found[registry] = RegistryAuth(registry=registry, username=match["username"], password=match["password"])
    return tuple(found.values())
