"""The registry of problem codes: what each says of a spec, and what to do about it (spec.md, introduction)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """One code: a summary in a few words, what it means, what to do."""

    summary: str
    meaning: str
    remedy: str


_FILE: dict[str, Code] = {
    "unreadable": Code(
        "the file cannot be read",
        "The operating system refused to open the spec.",
        "Check that the file exists and that its permissions let you read it.",
    ),
    "outside": Code(
        "a path leaves the repository",
        "A path, or what a symbolic link on it points to, lies outside the workspace. Specs see the repository only.",
        "Move the file into the repository and name it relative to the spec.",
    ),
    "missing-path": Code(
        "a file or directory is not there",
        "The spec names a path in the repository at which nothing, or something of another kind, lies.",
        "Correct the path; it is relative to the spec's own directory.",
    ),
    "too-large": Code(
        "the file is too large",
        "A spec is larger than 1 MiB.",
        "Split it into several suites, or take data out of it into files.",
    ),
    "too-deep": Code(
        "the file is nested too deeply",
        "Lists and mappings stand inside each other more than 64 levels deep.",
        "Flatten the file.",
    ),
    "too-many-values": Code(
        "too many values",
        "Once its aliases are expanded, the file holds more than 100,000 values.",
        "Split it into several suites, or use fewer aliases of aliases.",
    ),
    "not-utf8": Code(
        "the file is not UTF-8",
        "Specs are UTF-8 text; the first byte that is not is shown.",
        "Save the file as UTF-8.",
    ),
    "cannot-format": Code(
        "the file cannot be formatted",
        "`fmt` found no way to write the file anew that reads the same.",
        "Correct what the message says, or leave the file as it is.",
    ),
    "empty-file": Code(
        "the file is empty",
        "There is no suite in it.",
        "Write one, or let `cleanroom init` write it.",
    ),
    "yaml-syntax": Code(
        "the file is not valid YAML",
        "The YAML parser stopped here; nothing after it was read.",
        "Look at the line that is shown and the one before it: brackets, quotes, indentation.",
    ),
    "second-document": Code(
        "the file holds a second document",
        "One file is one suite; a line `---` begins another document.",
        "Put the second suite into a file of its own.",
    ),
    "duplicate-key": Code(
        "a key stands twice in a mapping",
        "Only one of the two values could count, so neither does.",
        "Remove one of them.",
    ),
    "non-text-key": Code(
        "a key is not text",
        "Keys such as `3`, `true` or a list look like text and are none.",
        'Quote the key; quote a template whole: `"{{ vars.x }}"`.',
    ),
    "custom-tag": Code(
        "a YAML tag is not allowed",
        "Tags such as `!secret` mean something to other programs only.",
        "Write the plain value, or a template.",
    ),
    "interpolation": Code(
        "a variable of the Compose file cannot be filled in",
        "It is malformed, nested too deeply, or one that the file requires (`${NAME:?}`) and that has no value.",
        "Correct it, or give it a default: `${NAME:-value}`; `$$` is a dollar sign.",
    ),
    "not-taken": Code(
        "a part of the Compose file cannot be taken",
        "The Compose file says something that an isolated environment does not have; the message says why.",
        "Take it out, or list it in `compose.ignore` to go without it.",
    ),
    "not-finite": Code(
        "a number is not finite",
        "NaN and the infinities cannot be compared with anything.",
        "Write a finite number, or quote it to mean text.",
    ),
    "unknown-alias": Code(
        "an alias has no anchor",
        "`*name` refers to an anchor `&name` that does not stand before it.",
        "Define the anchor first, or correct its name.",
    ),
}
_KEYS: dict[str, Code] = {
    "unknown-key": Code(
        "there is no such key",
        "The language has no key of this name here. Nothing is accepted and ignored.",
        "Correct the name; `cleanroom explain` prints the keys of a place.",
    ),
    "misplaced-key": Code(
        "the key belongs elsewhere",
        "The language has this key, in another place.",
        "Move it to the place that the message names.",
    ),
    "missing-key": Code(
        "a key is missing",
        "A mapping lacks a key that it cannot do without, or that another of its keys needs beside it.",
        "Add the key.",
    ),
    "one-of": Code(
        "keys exclude each other",
        "Exactly one, or at most one, of the named keys may be written here.",
        "Keep the one that you mean.",
    ),
    "wrong-type": Code(
        "the value has the wrong type",
        "There is a list where a text belongs, or a text where a number does, and the like. YAML decides by the "
        "writing: `yes` is text, `1.0` is a number, `2025-01-01` is text.",
        "Write what is expected; quote a number that is meant as text.",
    ),
    "wrong-value": Code(
        "the value is not one that may stand here",
        "Its type is right, and it is out of bounds, malformed, or none of a closed set of words.",
        "Write what is expected.",
    ),
    "empty-list": Code(
        "a list or mapping is empty",
        "An empty one would mean nothing here.",
        "Fill it, or leave the key out.",
    ),
    "empty-expect": Code(
        "an expectation checks nothing",
        "An `expect`, or a part of one, holds no check, so that it could not fail.",
        "Add a check, or leave the key out.",
    ),
    "empty-comparator": Code(
        "a comparator checks nothing",
        "A mapping without comparators would hold of every value.",
        "Name a comparator, such as `gte: 1`.",
    ),
    "unknown-comparator": Code(
        "there is no such comparator",
        "Where a value is judged, the keys of a mapping are comparators.",
        "Correct the name; to compare with a mapping itself, write `eq: {…}`.",
    ),
    "not-available": Code(
        "run cannot carry it out in this version",
        "The language has it, and no code carries it out yet. `validate` and `plan` accept it and `run` refuses it by "
        "name, because a check that is not made must not look like one that held.",
        "Take it out, or use a version that has it.",
    ),
}
_TEMPLATES: dict[str, Code] = {
    "template": Code(
        "a template cannot be rendered",
        "The expression is malformed, failed, uses something that the sandbox does not have, or exceeds its bounds.",
        "Correct the expression; section Templates of docs/spec.md says what there is.",
    ),
    "unknown-variable": Code(
        "there is no such variable",
        "`vars.name` is neither declared with a value, nor given by `--var`, nor in the environment as "
        "`CLEANROOM_VAR_name`; or `env` reads a name that is not there or not allowed.",
        "Declare it in `vars`, give it with `--var name=value`, or use `default()`.",
    ),
    "unknown-name": Code(
        "templates have no such name",
        "Expressions know the names of section Templates only; variables are reached through `vars`.",
        "Correct the name, or write `vars.name`.",
    ),
    "known-too-late": Code(
        "the value must be known before the run",
        "The template uses a name such as `captured` that has a value during the run only, where the value is needed "
        "to plan it.",
        "Write the value, or a template that does not depend on the run.",
    ),
    "out-of-place-name": Code(
        "a run-time name is not known here",
        "`captured` is known in steps, `worker` and `operation` in a workload, `example` in a scenario with "
        "`property`, `replica` and `peers` in a service with `replicas`, `iteration` in the name of a journal.",
        "Use it where it is known.",
    ),
}


def _unknown(what: str, where: str) -> Code:
    return Code(f"there is no such {what}", f"{where} of this name.", "Correct the name, or declare it.")


def _named_twice(what: str, plural: str, why: str) -> Code:
    return Code(f"two {plural} have one name", why, f"Rename one {what}.")


_LISTED = (
    "capability", "dependency", "dependent", "destination", "error-type", "member", "nuisance", "part", "phase",
    "profile", "propagator", "signal", "tag", "value",
)  # fmt: skip
"""What lists hold in which nothing stands twice."""
_REFERENCES: dict[str, Code] = {
    "unknown-service": _unknown("service", "The spec declares no service"),
    "unknown-step": _unknown("step", "The scenario has no step"),
    "unknown-session": _unknown("session", "The `sql` step has no session"),
    "unknown-snapshot": _unknown("snapshot", "The scenario has no `snapshot` step with an id"),
    "unknown-journal": _unknown("journal", "No workload of the scenario has a `journal`"),
    "unknown-label": _unknown("label", "No service carries a label"),
    "unknown-axis": _unknown("axis of the matrix", "`include` and `exclude` name axes, and the matrix has none"),
    "unknown-parameter": _unknown("parameter", "The fault that the sweep varies has no parameter"),
    "unknown-replica": Code(
        "there is no such replica",
        "The service has no replicas, or fewer than the number says.",
        "Correct the number, or give the service more `replicas`.",
    ),
    "unknown-fault": Code(
        "there is no such fault",
        "The catalogue has no fault of this name, or the scenario declares none with this id.",
        "Correct the name; docs/spec.md lists all faults.",
    ),
    "duplicate-scenario": _named_twice(
        "scenario", "scenarios", "Reports and spans tell scenarios apart by their names."
    ),
    "duplicate-step": _named_twice(
        "step", "steps of a scenario", "`at`, `until` and reports refer to steps by their names."
    ),
    "duplicate-fault": _named_twice(
        "fault", "faults of a scenario", "Steps and expectations refer to faults by their ids."
    ),
    "duplicate-snapshot": _named_twice(
        "snapshot", "snapshots of a scenario", "Invariants refer to snapshots by their ids."
    ),
    "duplicate-journal": _named_twice(
        "journal", "journals of a scenario", "Expectations refer to the journals of workloads by their names."
    ),
    "duplicate-session": _named_twice("session", "sessions of a step", "Sessions refer to each other by their names."),
    "duplicate-barrier": _named_twice(
        "barrier", "barriers of a session", "A session waits at each barrier once, together with the others."
    ),
    "duplicate-expectation": _named_twice(
        "expectation", "expectations", "Findings and reports tell expectations apart by their ids."
    ),
    "duplicate-service": _named_twice(
        "service",
        "services",
        "Services reach each other by name; the replicas of `db` are called db-1, db-2 and so on.",
    ),
    "duplicate-host": _named_twice("host", "hosts", "Each host name is answered for by one service or mock."),
    "duplicate-target": Code(
        "two things lie at one path of a container",
        "Of two volumes, files or memory file systems at one path, one would hide the other.",
        "Move one of them.",
    ),
    **{
        f"duplicate-{what}": Code(
            f"a {what.replace('-', ' ')} is listed twice",
            "Nothing in this list counts twice.",
            "Remove one of them.",
        )
        for what in _LISTED
    },
    "dependency-cycle": Code(
        "services wait for each other",
        "Following `depends_on` leads back to where it began, so that none of them could start; the message names the "
        "cycle in order.",
        "Remove one of the dependencies.",
    ),
    "never-looks": Code(
        "a scenario injects faults and expects nothing",
        "No expectation of the scenario, its steps or the suite could fail because of the fault.",
        "Say what must hold: `expect` in the scenario, in a step or in the suite.",
    ),
    "never-injected": Code(
        "nothing injects the fault",
        "The fault is declared with `at: manual`, and no step has `inject` with its id.",
        "Add such a step, or give the fault another `at`.",
    ),
    "not-manual": Code(
        "the fault is not injected by hand",
        "`inject` and `heal` refer to a fault that has a time of its own.",
        "Declare the fault with `at: manual`.",
    ),
    "contradiction": Code(
        "two values contradict each other",
        "Each is fine alone; together they cannot be meant.",
        "Keep the one that you mean.",
    ),
    "impossible": Code(
        "it can never hold, or never happen",
        "No run whatever could satisfy the expectation, or carry out what is written.",
        "Correct it; the message says why it is impossible.",
    ),
}
CHAPTERS: Mapping[str, Mapping[str, Code]] = MappingProxyType({
    "The file": MappingProxyType(_FILE),
    "Keys and values": MappingProxyType(_KEYS),
    "Templates": MappingProxyType(_TEMPLATES),
    "References and meaning": MappingProxyType(_REFERENCES),
})  # fmt: skip
CODES: Mapping[str, Code] = MappingProxyType({code: row for codes in CHAPTERS.values() for code, row in codes.items()})
"""Every code that `validate` can report."""
