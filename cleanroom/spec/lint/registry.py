"""The lint rules: one table, which the command, `explain` and the documentation read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from cleanroom.spec.lint import chaos, expectations, services, steps
from cleanroom.spec.lint.rule import Remark, Rule
from cleanroom.spec.lint.subject import Subject


def _of_comments(_subject: Subject) -> Iterator[Remark]:
    """Yield nothing: what is wrong with `allow` comments is found where they are applied."""
    yield from ()


_ALL = (
    Rule(
        name="counts-only",
        level="warning",
        summary="An expectation that only counts spans.",
        why="Spans that failed, took forever or hang under the wrong parent satisfy a count as well as good ones.",
        remedy="add a condition: status, parent, attributes, duration, or a window with during",
        check=expectations.counts_only,
    ),
    Rule(
        name="matches-everything",
        level="warning",
        summary='An expectation whose only selector is a pattern that matches every span, such as `name: "*"`.',
        why="It holds as soon as anything at all was traced.",
        remedy="name the span, or select by service, kind or an attribute",
        check=expectations.matches_everything,
    ),
    Rule(
        name="always-holds",
        level="warning",
        summary="A comparator that nothing breaks: `{gte: 0}` of a count, or every status there is.",
        why="A check that cannot fail reads like one that was passed.",
        remedy="say what is too few, too many or wrong, or take the check out",
        check=expectations.always_holds,
    ),
    Rule(
        name="no-negative-check",
        level="warning",
        summary="A spec that says what must happen and nowhere what must not.",
        why="A system that does everything, the wrong things included, satisfies it.",
        remedy="add what must not be: count: 0, errors: 0, no_edges, status: {ne: error}, hermeticity",
        check=expectations.no_negative_check,
    ),
    Rule(
        name="warnings-only",
        level="warning",
        summary="A spec all of whose expectations have `level: warning`.",
        why="A warning is reported and fails nothing, so the spec passes whatever the spans say.",
        remedy="make the expectations that matter errors (the default level)",
        check=expectations.warnings_only,
    ),
    Rule(
        name="scenario-without-expect",
        level="warning",
        summary="A scenario without `expect`, in a spec without one for all scenarios.",
        why="Only the exit of its steps is judged, and nothing of what the services did.",
        remedy="add expect with the spans that the steps must cause",
        check=steps.scenario_without_expect,
    ),
    Rule(
        name="long-sleep",
        level="note",
        summary="A `sleep` step of a second or more.",
        why="It is too long on a fast machine and too short on a slow one, five times a run.",
        remedy="wait for what the sleep is for, with wait_for",
        check=steps.long_sleep,
    ),
    Rule(
        name="duplicate-step",
        level="note",
        summary="A step that does and expects the same as the one before it.",
        why="It is mostly a copy whose change was forgotten.",
        remedy="change it, remove it, or use a workload for many operations",
        check=steps.duplicate_step,
    ),
    Rule(
        name="step-outlives-scenario",
        level="warning",
        summary="A step whose timeout is not shorter than its scenario's.",
        why="The scenario is cut first, so that the step's own timeout and its grace never take effect.",
        remedy="make the step's timeout shorter or the scenario's longer",
        check=steps.step_outlives_scenario,
    ),
    Rule(
        name="everything-optional",
        level="warning",
        summary="A scenario all of whose steps are optional, without `outcome: passed`.",
        why="Every step may fail, and the scenario is degraded at worst, which passes.",
        remedy="make the steps that matter required, or expect outcome: passed",
        check=steps.everything_optional,
    ),
    Rule(
        name="unspecific-failure",
        level="warning",
        summary="`expect_failure` without a step that says how it fails.",
        why="A typo in a step satisfies it as well as the failure that is meant.",
        remedy="expect error_type, exit_code or status in the step that has to fail",
        check=steps.unspecific_failure,
    ),
    Rule(
        name="unverified-tls",
        level="warning",
        summary="`tls_verify: false`.",
        why="The answer may come from anybody, and a broken certificate is not found.",
        remedy="let the service present a certificate that the client knows",
        check=steps.unverified_tls,
    ),
    Rule(
        name="no-verify",
        level="warning",
        summary="A fault with `verify: false`.",
        why="A fault without effect and a system that withstands it look the same.",
        remedy="take verify: false out, or choose a rung that can be verified",
        check=chaos.unverified_fault,
    ),
    Rule(
        name="fault-without-expectation",
        level="warning",
        summary="A fault to which no expectation refers.",
        why="That the scenario survives is all that is judged, and a fault that nobody felt is no test.",
        remedy="say what must hold with during, before or after, or with expect.faults",
        check=chaos.fault_never_looked_at,
    ),
    Rule(
        name="rare-fault",
        level="warning",
        summary="A fault whose probability makes less than one occurrence likely in a run.",
        why="Most seeds never inject it, and expectations about it are inconclusive then.",
        remedy="raise the probability, the repetitions or the iterations",
        check=chaos.rare_fault,
    ),
    Rule(
        name="everything-may-be-inconclusive",
        level="warning",
        summary="A spec with `allow_inconclusive` for every fault.",
        why="On a machine that can inject none of them the run passes and has tested nothing.",
        remedy="let at least one fault fail the run when it cannot be proven",
        check=chaos.everything_may_be_inconclusive,
    ),
    Rule(
        name="random-seed",
        level="note",
        summary="`determinism.seed: random`.",
        why="Two runs of one commit can differ, and a failure comes back only with the printed seed.",
        remedy="write a seed, and draw others in a run of its own with --seed random",
        check=chaos.random_seed,
    ),
    Rule(
        name="single-iteration",
        level="warning",
        summary="`determinism.iterations: 1`.",
        why="One run cannot differ from itself: nondeterminism is not looked for.",
        remedy="use at least two iterations; five is the default",
        check=chaos.single_iteration,
    ),
    Rule(
        name="not-identical",
        level="warning",
        summary="`determinism.identical: false`.",
        why="Iterations that tell different stories pass.",
        remedy="normalise what may differ (determinism.normalize) and keep the comparison",
        check=chaos.not_identical,
    ),
    Rule(
        name="drops-everything",
        level="warning",
        summary="A glob in `determinism.normalize.drop` that drops every attribute.",
        why="Iterations are compared by names and shape alone.",
        remedy="name the attributes that differ",
        check=chaos.drops_everything,
    ),
    Rule(
        name="retry-on-anything",
        level="note",
        summary="`retry` without `on`.",
        why="It tries again after errors that are defects, and hides those that come and go.",
        remedy="name the error types that are expected with on",
        check=chaos.retry_on_anything,
    ),
    Rule(
        name="unpinned-image",
        level="warning",
        summary="An image without a tag, or with the tag `latest`.",
        why="What runs changes without a change of the spec.",
        remedy="name a version, better a digest",
        check=services.unpinned_image,
    ),
    Rule(
        name="image-by-tag",
        level="note",
        summary="An image with a tag and without a digest.",
        why="A tag can be moved to another image.",
        remedy="add the digest: name:tag@sha256:…",
        check=services.image_by_tag,
    ),
    Rule(
        name="unused-service",
        level="note",
        summary="A service that nothing else in the spec names.",
        why="It costs time and memory in every iteration, or an expectation about it is missing.",
        remedy="say what it must do, or remove it",
        check=services.unused_service,
    ),
    Rule(
        name="unknown-selected-service",
        level="warning",
        summary="A `service:` selector that matches no service of the spec.",
        why="It selects nothing; together with count: 0 it always holds.",
        remedy="use the service's name, or its telemetry.service_name",
        check=services.unknown_selected_service,
    ),
    Rule(
        name="literal-secret",
        level="note",
        summary="A password, token or key written into `environment` or build arguments.",
        why="The spec is in the repository's history, and so is the secret.",
        remedy="read it with env() where it is a real one; allow the rule where it is made up for the test",
        check=services.literal_secret,
    ),
    Rule(
        name="open-egress",
        level="warning",
        summary="`network.egress` with `allow`.",
        why="What the world outside answers differs from day to day, and is down some days.",
        remedy="answer with a mock or a cassette",
        check=services.open_egress,
    ),
    Rule(
        name="unused-variable",
        level="warning",
        summary="A variable of `vars` that no template uses.",
        why="Setting it changes nothing, which --var does not tell.",
        remedy="use it or remove it",
        check=services.unused_variable,
    ),
    Rule(
        name="unused-anchor",
        level="note",
        summary="An anchor that no alias refers to.",
        why="It is a left-over, or an alias was mistyped into a copy.",
        remedy="remove it",
        check=services.unused_anchor,
    ),
    Rule(
        name="missing-description",
        level="note",
        summary="A suite without `meta.description`.",
        why="Reports show it to people who have not read the spec.",
        remedy="say in one sentence what the suite shows",
        check=services.missing_description,
    ),
    Rule(
        name="unused-allow",
        level="warning",
        summary="An `allow` comment that allows nothing.",
        why="It would hide the next finding of that rule at this place.",
        remedy="remove the comment, or the rule's name from it",
        check=_of_comments,
    ),
    Rule(
        name="broken-allow",
        level="warning",
        summary="A `cleanroom-lint:` comment that cannot be understood, names no rule, or gives no reason.",
        why="It allows nothing, and looks as if it did.",
        remedy="write: # cleanroom-lint: allow RULE [RULE…] -- reason",
        check=_of_comments,
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _ALL})
"""Every rule by its name, in the order of the documentation."""


def documentation() -> Mapping[str, str]:
    """Return the text of each rule by its name."""
    return MappingProxyType({
        rule.name: f"{rule.summary} {rule.why} What to do: {rule.remedy}. A {rule.level}." for rule in _ALL
    })  # fmt: skip
