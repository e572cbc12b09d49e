"""Who carries out each key of the language that `run` does not refuse: a function, and what it reads of the model.

A key stands here under the place of its record as `module:function expression`, where the module is below `cleanroom`
and the function reads that attribute. The test holds this table against the records on one side and the source on the
other: a key that becomes available needs a reader before it can have a row.
"""

from __future__ import annotations

from tests.unit.spec.fault_evidence import FAULTS

_ACTION = "run/stepper:Stepper._act step.action"
_SERVICE = "engine/service:container_spec"
_LIMITS = "engine/service:container_spec limits"
_HTTP = "drive/http:run_http action"
_EXEC = "drive/execute:run_exec action"
_STEP_EXPECT = "run/step:_breaches expect"
_CARRIED = "validate/conditions:_carried expectation"
_ENDED = "validate/conditions:_ended expectation"
_SELECTORS = "validate/select:shape_selectors expectation"
_SCHEMA = "validate/schema"
_DESCRIPTION = "plan/document:_checks_json own.description"
_READY = "engine/ready:_Waiting.until probe.question"
_PROBES = {
    **dict.fromkeys(("exec", "sql", "redis"), "drive/ask:ask probe.question"),
    **dict.fromkeys(("tcp", "log", "container", "cgroup", "file", "clock"), "drive/ask:_fact question.service"),
    "http": "drive/ask:_http question.request",
    "span": "drive/ask:_fact question.selector",
}
_SNAPSHOT = {"snapshot": "validate/invariants/snapshots:judge_snapshot check.snapshot"}
_COUNTS = "validate/counts:figure wanted.what"
_EXPECT = {
    "spans": "validate/scenario:judge_expect expect.spans",
    "graph": "validate/scenario:judge_expect expect.graph",
    "counts": "validate/scenario:judge_expect expect.counts",
    "status": "validate/scenario:judge_expect expect.status",
    "hermeticity": "validate/scenario:judge_expect expect.hermeticity",
    "lint": "validate/scenario:judge_expect expect.lint",
    "resilience": "validate/scenario:judge_expect expect.resilience",
    "resources": "validate/scenario:judge_expect expect.resources",
    "faults": "validate/scenario:judge_expect expect.faults",
    "invariants": "validate/scenario:judge_expect expect.invariants",
    "metrics": "validate/scenario:judge_expect expect.metrics",
    "logs": "validate/scenario:judge_expect expect.logs",
    **{
        name: f"validate/scenario:judge_expect expect.{name}"
        for name in ("windows", "order", "overlap", "intervals", "rate", "concurrency")
    },
}
_IN_TIME = {
    "id": "validate/timing:check wanted.id",
    "description": _DESCRIPTION,
    "level": "validate/timing:broken wanted.level",
}
_SELECTED = {**_IN_TIME, "spans": "validate/timing:selected wanted.spans"}
_STEP = {
    **dict.fromkeys(("exec", "run", "http", "sql", "redis", "wait_for", "snapshot"), _ACTION),
    "sleep": "run/stepper:Stepper._act action.duration",
    "inject": "run/stepper:Stepper._act action.fault",
    "heal": "run/stepper:Stepper._act action.fault",
    "name": "run/stepper:Stepper._perform step.name",
    "timeout": "run/stepper:Stepper._perform step.timeout",
    "grace": "run/stepper:Stepper._act step.grace",
    "parallel": "run/stepper:Stepper._together action.steps",
    "workload": "run/stepper:Stepper._act step.action",
    "retry": "run/stepper:Stepper._attempts begun.step.retry",
    "capture": "run/capture:captured_of step.capture",
    "expect": "run/step:record_of step.expect",
    "allow": "run/step:_unexpected_error step.allow",
    "optional": "run/scenario:Play._steps step.optional",
    "continue_on_failure": "run/scenario:Play._steps step.continue_on_failure",
}
_WORKLOAD = {
    "workers": "drive/workload/perform:perform job.workload.workers",
    "operations": "drive/workload/job:Job.count work.operations",
    "duration": "drive/workload/crew:Crew._is_over self._job.workload.duration",
    "rate": "drive/workload/job:Job.intended self.workload.rate",
    "think": "drive/workload/crew:Crew._operations self._job.workload.think",
    "barrier": "drive/workload/crew:Crew.__init__ job.workload.barrier",
    "mix": "drive/workload/job:Job.step self.workload.mix",
    "vars": "drive/workload/job:Job.values self.workload.vars",
    "retry": "drive/workload/crew:Crew._attempts self._job.workload.retry",
    "journal": "run/workload:run_workload work.journal",
}
_FIGURE = "validate/resilience/judge:_read wanted.figure"
_SCOPED = {
    "journal": "validate/resilience/judge:_read wanted.journal",
    "during": "validate/resilience/judge:_read wanted.during",
}
READERS = {
    "": {
        "environment": "run/iteration:Iteration._scenarios self._plan.suite.environment",
        "services": "run/environment:Environment.open suite.services",
        "otel": "run/scenario:Play.settle self._stage.plan.suite.otel",
        "scenarios": "run/iteration:Iteration._scenarios self._plan.suite.scenarios",
        "expect": "validate/judge:judge_iteration plan.suite.expect",
        "determinism": "validate/judge:conclude_suite plan.suite.determinism",
    },
    "meta": {
        "name": "run/environment:Environment.__init__ plan.suite.name",
        "description": "plan/document:plan_json suite.description",
        "tags": "pipeline/selection:choose suite.tags",
        "tier": "pipeline/selection:choose suite.tier",
        "required": "validate/judge:conclude_suite plan.suite.required",
    },
    "services.<name>": {
        "image": "engine/images:image_key service.image",
        "build": "engine/images:image_key service.build",
        "command": f"{_SERVICE} service.command",
        "entrypoint": f"{_SERVICE} service.entrypoint",
        "environment": f"{_SERVICE} service.environment",
        "user": f"{_SERVICE} service.user",
        "working_dir": f"{_SERVICE} service.working_dir",
        "clock": "plan/surroundings:clock_of service.clock",
        "timezone": "run/surroundings:Surroundings.placed service.timezone",
        "hostname": f"{_SERVICE} service.hostname",
        "stop_signal": f"{_SERVICE} service.stop_signal",
        "stop_grace": "engine/service:_stop service.stop_grace",
        "init": f"{_SERVICE} service.init",
        "depends_on": "plan/build:start_waves service.depends_on",
        "ready": "engine/ready:await_ready check.service.ready",
        "ready_timeout": "engine/ready:await_ready check.service.ready_timeout",
        "tmpfs": f"{_SERVICE} service.tmpfs",
        "files": f"{_SERVICE} service.files",
        "limits": f"{_SERVICE} service.limits",
        "restart": f"{_SERVICE} service.restart",
        "labels": f"{_SERVICE} service.labels",
        "telemetry": "telemetry/variables:telemetry_variables service.telemetry",
    },
    "services.<name>.clock": {
        "at": "engine/clock:offset_of at.ns",
        "offset": "engine/clock:offset_of offset.ns",
        "rate": "engine/clock:_words setting.rate",
    },
    "services.<name>.build": {
        "context": "engine/build:run_build spec.context",
        "dockerfile": "engine/build:run_build spec.dockerfile",
        "args": "engine/build:run_build spec.args",
        "target": "engine/build:run_build spec.target",
    },
    "services.<name>.ready[]": {
        **dict.fromkeys(("tcp", "http", "log", "exec"), _READY),
        "exit": "engine/ready:_Waiting._until_exit probe.code",
        **{name: row for name, row in _PROBES.items() if name not in ("tcp", "http", "log", "exec")},
        "healthcheck": "drive/ask:ask probe.question",
        "tolerance": "drive/question:wanted_of probe.tolerance",
        "interval": "engine/ready:_Waiting._poll probe.interval",
    },
    "services.<name>.ready[].tcp": {"port": "engine/ready:_Waiting._try question.port"},
    "services.<name>.ready[].http": {
        "port": "engine/ready:_http request.port",
        "path": "engine/ready:_http request.path",
        "status": "engine/ready:_http probe.status",
    },
    "services.<name>.ready[].log": {
        "matches": "engine/ready:_Waiting._until_log question.matches",
        "count": "engine/ready:_plain question.count",
    },
    "services.<name>.ready[].exec": {
        "command": "engine/ready:_Waiting._exec probe.command",
        **{name: f"{_EXEC}.{name}" for name in ("user", "env", "stdin", "working_dir")},
    },
    "services.<name>.ready[].container": dict.fromkeys(
        ("state", "health", "restarts", "oom_killed", "exit_code"), "drive/container:ask_container probe.what"
    ),
    "services.<name>.ready[].cgroup": dict.fromkeys(
        ("throttled", "memory_peak", "memory_current", "oom_kill", "pids"), "drive/ask:_fact question.what"
    ),
    "services.<name>.ready[].file": {
        "path": "drive/file:file_fact probe.path",
        **dict.fromkeys(("exists", "sha256", "size"), "drive/file:file_fact probe.what"),
    },
    "services.<name>.ready[].clock": {"offset": "drive/question:_words question.offset"},
    "services.<name>.ready[].sql": {
        "dialect": "drive/sql/connect:connect_to action.dialect",
        "port": "drive/sql/postgresql:_conninfo action.port",
        "database": "drive/sql/postgresql:_conninfo action.database",
        "user": "drive/sql/postgresql:_conninfo action.user",
        "password": "drive/sql/postgresql:_conninfo action.password",
        "query": "drive/sql/run:_statements action.query",
        "file": "drive/sql/run:_statements action.file",
        "parameters": "drive/sql/run:send_one action.parameters",
    },
    "services.<name>.ready[].redis": {
        "port": "drive/redis:run_redis action.port",
        "command": "drive/redis:run_redis action.commands",
        "commands": "drive/redis:run_redis action.commands",
    },
    "services.<name>.limits": {name: f"{_LIMITS}.{name}" for name in ("cpus", "memory", "swap", "pids", "nofile")},
    "services.<name>.restart": {
        "policy": f"{_SERVICE} service.restart.policy",
        "max": f"{_SERVICE} service.restart.max",
    },
    "services.<name>.telemetry": {
        "inject": "telemetry/variables:telemetry_variables service.telemetry.inject",
        "protocol": "telemetry/variables:_exporter service.telemetry.protocol",
        "service_name": "telemetry/variables:_exporter service.telemetry.service_name",
    },
    "otel": {
        "collector": "pipeline/worker:Worker._telemetry s.otel.collector",
        "resource": "run/environment:Environment._place suite.otel.resource",
        "settle": "run/scenario:Play.settle self._stage.plan.suite.otel.settle",
    },
    "otel.settle": {
        "timeout": "run/scenario:Play.settle settle.timeout",
        "quiet": "run/scenario:Play.settle settle.quiet",
    },
    "scenarios[]": {
        "name": "plan/timeline:_Drawing._event self.scenario.name",
        "description": "plan/document:plan_json suite.scenarios[index].description",
        "tags": "pipeline/selection:choose s.tags",
        "timeout": "run/bounds:Bounds.of scenario.timeout",
        "deadline": "run/bounds:Bounds.of scenario.deadline",
        "steps": "run/scenario:Play._steps self._scenario.steps",
        "chaos": "plan/timeline:_Drawing.plan self.scenario.chaos",
        "expect": "validate/scenario:judge_scenario scenario.expect",
        "allow_inconclusive": "validate/scenario:judge_scenario scenario.allow_inconclusive",
        "vary": "plan/surroundings:nuisances s.vary",
        "property": "run/scenario:look scenario.property",
        "expect_failure": "validate/failures:judge_expected_failure scenario.expect_failure",
        "known_failure": "validate/failures:accept scenario.known_failure",
        "steady_state": "validate/steady_state:judge_steady_state scenario.steady_state",
    },
    "a probe": {
        **_PROBES,
        "tolerance": "drive/question:wanted_of probe.tolerance",
        "timeout": "drive/ask:ask probe.timeout",
        "interval": "drive/waiting:wait_until probe.interval",
        "optional": "drive/ask:ask probe.optional",
    },
    "a probe.tcp": {"service": "drive/ask:_fact question.service", "port": "drive/ask:_fact question.port"},
    "a probe.http": {
        **{name: f"{_HTTP}.{name}" for name in ("service", "port", "path", "method", "headers", "query", "json")},
        "body": "drive/http:_data action.body",
        "form": "drive/http:_data action.form",
        "follow": f"{_HTTP}.follow",
        "status": "drive/ask:_http question.status",
        "url": "drive/question:_words request.url",
        "tls_verify": f"{_HTTP}.tls_verify",
    },
    "a probe.log": {
        "service": "drive/ask:_fact question.service",
        "matches": "drive/container:ask_log probe.matches",
        "count": "drive/ask:_of_a_part question.count",
    },
    "a probe.container": {
        "service": "drive/ask:_fact question.service",
        **dict.fromkeys(
            ("state", "health", "restarts", "oom_killed", "exit_code"), "drive/container:ask_container probe.what"
        ),
    },
    "a probe.cgroup": {
        "service": "drive/ask:_fact question.service",
        **dict.fromkeys(
            ("throttled", "memory_peak", "memory_current", "oom_kill", "pids"), "drive/ask:_fact question.what"
        ),
    },
    "a probe.file": {
        "service": "drive/ask:_fact question.service",
        "path": "drive/file:file_fact probe.path",
        **dict.fromkeys(("exists", "sha256", "size"), "drive/file:file_fact probe.what"),
    },
    "a probe.clock": {
        "service": "drive/ask:_fact question.service",
        "offset": "drive/question:_words question.offset",
    },
    "a probe.span": {
        name: f"validate/settle:Settling.selected selector.{name}"
        for name in ("name", "service", "kind", "scope", "where")
    },
    "a query": dict.fromkeys(("exec", "http", "sql", "redis"), "run/invariants:_questions check.left"),
    "scenarios[].steady_state": {
        "probes": "run/steady_state:SteadyWatch._round self._wanted.probes",
        "when": "run/steady_state:SteadyWatch.before wanted.when",
        "during": "run/steady_state:SteadyWatch.during wanted.during",
    },
    "scenarios[].steady_state.during": {"interval": "run/steady_state:SteadyWatch.during wanted.during"},
    "scenarios[].steps[].wait_for": {
        **_PROBES,
        "tolerance": "drive/question:wanted_of probe.tolerance",
        "timeout": "run/probing:wait_for action.timeout",
        "interval": "drive/waiting:wait_until probe.interval",
    },
    "scenarios[].steps[].snapshot": {
        "id": "run/probing:snapshot action.id",
        "of": "run/probing:snapshot action.of",
    },
    "expect.invariants[]": {
        "id": "validate/invariants/judge:_check invariant.id",
        "description": _DESCRIPTION,
        "level": "validate/invariants/judge:_check invariant.level",
        **dict.fromkeys(
            (
                "unique",
                "monotonic",
                "order",
                "orphans",
                "unchanged",
                "delta",
                "drift",
                "dump_digest",
                "reconcile",
                "acknowledged",
                "error_classes",
                "fairness",
                "holds",
                "single_leader",
            ),
            "validate/invariants/judge:judge_one invariant.check",
        ),
    },
    **{
        f"expect.invariants[].{kind}": {
            "sql": "run/invariants:_questions check.sql",
            "column": "validate/invariants/rows:_columnwise check.column",
        }
        for kind in ("unique", "monotonic")
    },
    "expect.invariants[].orphans": {"sql": "run/invariants:_questions check.sql"},
    "expect.invariants[].order": {
        "sql": "run/invariants:_questions check.sql",
        "per": "validate/invariants/rows:_order check.per",
        "by": "validate/invariants/rows:_order check.by",
    },
    "expect.invariants[].unchanged": _SNAPSHOT,
    "expect.invariants[].drift": _SNAPSHOT,
    "expect.invariants[].dump_digest": _SNAPSHOT,
    "expect.invariants[].delta": {**_SNAPSHOT, "value": "validate/invariants/snapshots:_delta check.value"},
    "expect.invariants[].reconcile": {
        "left": "run/invariants:_questions check.left",
        "right": "run/invariants:_questions check.right",
    },
    "expect.invariants[].acknowledged": {
        "journal": "validate/invariants/judge:judge_one check.journal",
        "present": "run/invariants:_questions check.present",
        "lost": "validate/invariants/operations:_acknowledged check.lost",
        "duplicated": "validate/invariants/operations:_acknowledged check.duplicated",
    },
    "expect.invariants[].error_classes": {
        "journal": "validate/invariants/judge:judge_one check.journal",
        "only": "validate/invariants/operations:_classes check.only",
    },
    "expect.invariants[].fairness": {
        "journal": "validate/invariants/judge:judge_one check.journal",
        "by": "validate/invariants/operations:_fairness check.by",
        "min_share": "validate/invariants/operations:_fairness check.min_share",
    },
    "expect.invariants[].single_leader": {
        "probe": "run/invariants:_Leaders._leads self._check.probe",
        "at_most": "validate/invariants/answers:judge_leaders check.at_most",
        "interval": "run/invariants:InvariantWatch.during check.interval",
    },
    "scenarios[].property": {
        "given": "run/search:_trial wanted.given",
        "examples": "run/search:_trial wanted.examples",
        "shrink": "run/search:search wanted.shrink",
        "oracle": "run/property:Examples._failure self._wanted.oracle",
        "isolation": "run/iteration:Iteration._alone scenario.property.isolation",
    },
    "scenarios[].property.shrink": {"budget": "run/search:search wanted.shrink"},
    "scenarios[].property.oracle": {
        name: row
        for name, row in _STEP.items()
        if name not in ("sleep", "inject", "heal", "parallel", "wait_for", "snapshot", "workload")
    },
    "a generator": dict.fromkeys(
        (
            "integer",
            "float",
            "text",
            "identifier",
            "one_of",
            "list",
            "table_definition",
            "sequence",
            "choice_weighted",
        ),
        "run/strategy:examples_of given.items",
    ),
    **{
        f"a generator.{kind}": dict.fromkeys(names, f"run/strategy:strategy_of {place}")
        for kind, names, place in (
            ("integer", ("min", "max"), "st.integers"),
            ("float", ("min", "max"), "st.floats"),
            ("text", ("min", "max", "alphabet"), "st.text"),
            ("list", ("of", "min", "max"), "st.lists"),
        )
    },
    "a generator.identifier": {"max": "run/strategy:_identifiers st.text"},
    "a generator.table_definition": {"columns": "run/strategy:_tables st.lists"},
    "a generator.sequence": dict.fromkeys(("start", "step"), "run/strategy:strategy_of st.integers"),
    "a generator.choice_weighted[]": {
        "value": "run/strategy:_weighted.value_at choice.value",
        "weight": "run/strategy:_weighted choice.weight",
    },
    "scenarios[].known_failure": {
        "reason": "validate/failures:accept known.reason",
        "strict": "validate/failures:accept known.strict",
    },
    "scenarios[].steps[]": _STEP,
    "scenarios[].steps[].workload": _WORKLOAD,
    "scenarios[].steps[].workload.mix[]": {
        "weight": "drive/workload/job:Job.step each.weight",
        "step": "drive/workload/job:Job.step chosen.step",
    },
    "scenarios[].steps[].workload.mix[].step": {
        **dict.fromkeys(
            ("exec", "run", "http", "sql", "redis"), "drive/workload/session:KeptSession.perform step.action"
        ),
        "name": "drive/workload/crew:Crew._operation step.name",
        "timeout": "drive/workload/crew:Crew._attempts step.timeout",
        "grace": "drive/workload/crew:Crew._attempts step.grace",
        "retry": "drive/workload/crew:Crew._attempts step.retry",
        "capture": "run/capture:captured_of step.capture",
        "expect": "run/operation:judge_operation step.expect",
        "allow": "run/operation:judge_operation step.allow",
    },
    "scenarios[].steps[].parallel[]": {name: row for name, row in _STEP.items() if name != "parallel"},
    "retry": {
        "attempts": "run/stepper:Stepper._attempts retry.attempts",
        **{name: f"drive/retry:pauses retry.{name}" for name in ("initial", "factor", "max", "jitter")},
        "on": "drive/retry:is_tried_again retry.on",
    },
    "scenarios[].steps[].capture.<name>": dict.fromkeys(("json", "regex", "header"), "run/capture:_value capture.by"),
    "scenarios[].steps[].run": {
        name: f"run/shots:Shots.place action.{name}" for name in ("image", "service", "command", "env")
    },
    "scenarios[].steps[].exec": {
        **{name: f"{_EXEC}.{name}" for name in ("service", "command", "user", "env", "stdin", "working_dir")},
    },
    "scenarios[].steps[].http": {
        **{
            name: f"{_HTTP}.{name}" for name in ("url", "service", "port", "path", "method", "headers", "query", "json")
        },
        "tls_verify": f"{_HTTP}.tls_verify",
        "body": "drive/http:_data action.body",
        "form": "drive/http:_data action.form",
        "follow": f"{_HTTP}.follow",
    },
    "scenarios[].steps[].expect": {
        name: f"{_STEP_EXPECT}.{name}"
        for name in (
            "exit_code",
            "stdout",
            "stderr",
            "status",
            "headers",
            "body",
            "json",
            "rows",
            "error_type",
            "duration",
        )
    },
    "a query.sql": {
        "service": "drive/sql/run:connect action.service",
        "dialect": "drive/sql/connect:connect_to action.dialect",
        "port": "drive/sql/postgresql:_conninfo action.port",
        "database": "drive/sql/postgresql:_conninfo action.database",
        "user": "drive/sql/postgresql:_conninfo action.user",
        "password": "drive/sql/postgresql:_conninfo action.password",
        "query": "drive/sql/run:_statements action.query",
        "file": "drive/sql/run:_statements action.file",
        "parameters": "drive/sql/run:send_one action.parameters",
    },
    "scenarios[].steps[].sql": {
        "service": "drive/sql/run:connect action.service",
        "dialect": "drive/sql/connect:connect_to action.dialect",
        "port": "drive/sql/postgresql:_conninfo action.port",
        "database": "drive/sql/postgresql:_conninfo action.database",
        "user": "drive/sql/postgresql:_conninfo action.user",
        "password": "drive/sql/postgresql:_conninfo action.password",
        "query": "drive/sql/run:_statements action.query",
        "file": "drive/sql/run:_statements action.file",
        "sessions": "drive/sql/run:run_sql action.sessions",
        "parameters": "drive/sql/run:send_one action.parameters",
    },
    "scenarios[].steps[].sql.sessions[]": {
        "name": "drive/sql/sessions:Meeting._may_go course.session.name",
        "isolation": "drive/sql/sessions:Meeting._prepare course.session.isolation",
        "steps": "drive/sql/sessions:Meeting._statements course.session.steps",
    },
    "scenarios[].steps[].sql.sessions[].steps[]": {
        "sql": "drive/sql/sessions:Meeting._statements step.sql",
        "barrier": "drive/sql/sessions:Meeting._may_go step.barrier",
        "after": "drive/sql/sessions:Meeting._may_go step.after_session",
        "expect": "drive/sql/sessions:_breaches step.expect",
    },
    "scenarios[].steps[].sql.sessions[].steps[].after": {
        "session": "drive/sql/sessions:Meeting._may_go step.after_session",
        "step": "drive/sql/sessions:Meeting._may_go step.after_step",
    },
    "scenarios[].steps[].sql.sessions[].steps[].expect": {
        name: f"drive/sql/sessions:_breaches expect.{name}" for name in ("rows", "error_type", "duration")
    },
    "scenarios[].steps[].redis": {
        "service": "drive/redis:run_redis action.service",
        "port": "drive/redis:run_redis action.port",
        "command": "drive/redis:run_redis action.commands",
        "commands": "drive/redis:run_redis action.commands",
    },
    **FAULTS,
    "scenarios[].chaos[].target": {
        "name": "plan/timeline:_Drawing._struck target.service",
        "any_of": "plan/timeline:_Drawing._struck target.any_of",
        "count": "plan/timeline:_Drawing._struck target.count",
        "all": "plan/timeline:_Drawing._struck target.all",
        "label": "plan/timeline:_Drawing._struck target.label",
        "of": "plan/timeline:_Drawing._struck target.of",
    },
    "scenarios[].chaos[].at": {
        "before_step": "run/chaos:Chaos._strike planned.step",
        "after_step": "run/chaos:Chaos._strike planned.step",
        "during_step": "run/chaos:Chaos.during_step moment.step",
        "when": "run/trigger:Trigger.wait moment.probe",
        "offset": "run/chaos:Chaos.during_step moment.offset",
    },
    "scenarios[].chaos[].repeat": {
        "every": "plan/timeline:_moment fault.repeat.every",
        "times": "plan/timeline:_Drawing.plan fault.repeat.times",
    },
    "scenarios[].chaos[].until": {"step": "run/chaos:Chaos.before_step occurrence.event.fault.until_step"},
    "a reason": {"reason": "validate/faults:_judge_one fault.allow_inconclusive"},
    "scenarios[].expect": {**_EXPECT, "outcome": "validate/scenario:judge_expect expect.outcome"},
    "expect": _EXPECT,
    "expect.outcome": {
        "outcome": "validate/scenario:judge_scenario scenario.expect.outcome.outcome",
        "id": "validate/outcome:judge_outcome wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/outcome:judge_outcome wanted.level",
    },
    "expect.spans[]": {
        **{name: f"{_SELECTORS}.{name}" for name in ("name", "service", "kind", "scope")},
        "where": "validate/select:_by_attribute expectation.where",
        **{name: f"validate/select:select expectation.{name}" for name in ("during", "before", "after")},
        **{name: f"{_CARRIED}.{name}" for name in ("attributes", "schema", "resource", "events")},
        **{name: f"{_ENDED}.{name}" for name in ("links", "status", "duration")},
        "count": "validate/spans:_count expectation.count",
        "parent": "validate/conditions:_lineage expectation.parent",
        "ancestor": "validate/conditions:_lineage expectation.ancestor",
        "root": "validate/conditions:_lineage expectation.root",
        "some": "validate/spans:_judge_one expectation.some",
        "id": "validate/spans:_check expectation.id",
        "description": _DESCRIPTION,
        "level": "validate/spans:_count expectation.level",
    },
    "expect.spans[].schema.<attribute>": {
        "type": f"{_SCHEMA}:value_breaches wanted.types",
        "required": f"{_SCHEMA}:schema_breach wanted.required",
        "const": f"{_SCHEMA}:_listed wanted.const",
        "enum": f"{_SCHEMA}:_listed wanted.enum",
        "minimum": f"{_SCHEMA}:_of_number wanted.minimum",
        "maximum": f"{_SCHEMA}:_of_number wanted.maximum",
        "exclusiveMinimum": f"{_SCHEMA}:_of_number wanted.exclusive_minimum",
        "exclusiveMaximum": f"{_SCHEMA}:_of_number wanted.exclusive_maximum",
        "multipleOf": f"{_SCHEMA}:_of_number wanted.multiple_of",
        "minLength": f"{_SCHEMA}:_of_text wanted.min_length",
        "maxLength": f"{_SCHEMA}:_of_text wanted.max_length",
        "pattern": f"{_SCHEMA}:_of_text wanted.pattern",
        "minItems": f"{_SCHEMA}:_of_list wanted.min_items",
        "maxItems": f"{_SCHEMA}:_of_list wanted.max_items",
        "items": f"{_SCHEMA}:_of_list wanted.items",
    },
    "a pattern": {"regex": "validate/select:matches pattern.regex"},
    "expect.spans[].attributes": {
        name: f"validate/conditions:attribute_test wanted.{name}" for name in ("all", "any", "none")
    },
    "expect.spans[].events": {
        name: f"validate/conditions:event_breach wanted.{name}" for name in ("all", "any", "none")
    },
    "expect.spans[].links": {"count": f"{_ENDED}.links"},
    "expect.graph": {
        **{
            key: f"validate/graph_pairs:rules_of graph.{key}"
            for key in ("edges", "no_edges", "paths", "no_paths", "service_edges")
        },
        **{
            key: f"validate/graph:_judge_shape graph.{key}"
            for key in ("acyclic", "single_root", "no_orphans", "connected", "max_depth", "closed")
        },
        "id": "validate/graph:_block graph.id",
        "description": "validate/graph:_check graph.description",
        "level": "validate/graph:_check graph.level",
    },
    "a pair": {
        "pair": "validate/graph_pairs:holds rule.pair.child",
        "id": "validate/graph:_judge_pair pair.id",
        "description": "validate/graph:_judge_pair pair.description",
        "level": "validate/graph:_judge_pair pair.level",
    },
    "expect.counts": {
        **dict.fromkeys(("spans", "errors", "events", "by_name", "by_service", "by_kind"), _COUNTS),
        "id": "validate/counts:_name wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/counts:_findings wanted.level",
    },
    "expect.windows[]": {
        **_IN_TIME,
        "outer": "validate/windows:_judge_one wanted.outer",
        "contains": "validate/windows:_judge_one wanted.contains",
        "strict": "validate/windows:_contained wanted.strict",
        "max_duration": "validate/windows:_longest wanted.max_duration.ns",
    },
    "expect.order[]": {
        **_IN_TIME,
        "first": "validate/order:_grouped wanted.first",
        "then": "validate/order:_grouped wanted.then",
        "by": "validate/order:_findings wanted.by",
        "within": "validate/order:_grouped wanted.within",
    },
    "expect.<timing>[].spans": {
        name: f"validate/timing:as_expectation selector.{name}"
        for name in ("name", "service", "kind", "scope", "where", "during", "before", "after")
    },
    "expect.intervals[]": {
        **_SELECTED,
        "gap": "validate/intervals:_breach wanted.gap",
        "factor": "validate/intervals:_judge_one wanted.factor",
    },
    "expect.rate[]": {
        **_SELECTED,
        "window": "validate/rate:_judge_one wanted.window.ns",
        "max": "validate/rate:_judge_one wanted.max",
    },
    "expect.concurrency[]": {**_SELECTED, "max": "validate/concurrency:_judge_one wanted.max"},
    "expect.status": {
        "all": "validate/status:_findings wanted.name",
        "by_name": "validate/status:_findings wanted.name",
        "id": "validate/status:_judge_one wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/status:_findings wanted.level",
    },
    "expect.hermeticity": {
        "egress": "validate/hermeticity:judge_hermeticity wanted.egress_none",
        "leaks": "validate/hermeticity:judge_hermeticity wanted.leaks_none",
        "resource": "validate/hermeticity:judge_hermeticity wanted.resource",
        "forbid_attributes": "validate/hermeticity:judge_hermeticity wanted.forbid_attributes",
        "services": "validate/hermeticity:judge_hermeticity wanted.services_closed",
        "id": "validate/hermeticity:_check wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/hermeticity:_leaks wanted.level",
    },
    "expect.resilience": {
        **dict.fromkeys(
            (
                "success_rate",
                "latency",
                "throughput",
                "recovery_time",
                "detection_time",
                "rto",
                "rpo",
                "availability",
                "unavailability",
                "degradation",
                "operations",
                "error_budget",
                "stability",
            ),
            _FIGURE,
        ),
        **_SCOPED,
        "id": "validate/resilience/judge:_judge_one wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/resilience/judge:_finding wanted.level",
    },
    "expect.resilience.latency": {**dict.fromkeys(("avg", "p50", "p95", "p99", "max"), _FIGURE), **_SCOPED},
    "expect.resilience.recovery_time": {**dict.fromkeys(("avg", "p95", "max"), _FIGURE), **_SCOPED},
    "expect.resilience.error_budget": {"slo": "validate/resilience/judge:_read wanted.slo", "burn": _FIGURE, **_SCOPED},
    "expect.resilience.stability": {
        **dict.fromkeys(("variance", "last_to_first"), _FIGURE),
        "window": "validate/resilience/judge:_read wanted.window.ns",
        **_SCOPED,
    },
    **{f"a figure of a {judged}": _SCOPED for judged in ("number", "duration", "count")},
    "expect.resources.<service>": {
        **{
            name: f"validate/resources:judge_resources wanted.{name}"
            for name in ("memory_peak", "cpu_time", "open_files", "growth", "restarts", "oom_killed")
        },
        "id": "validate/resources:_check wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/resources:_check wanted.level",
    },
    "expect.faults.<id>": {
        "verified": "validate/faults_expected:_judge_one wanted.verified",
        "backend": "validate/faults_expected:_judge_one wanted.backend",
        "impact": "validate/faults_expected:_judge_one wanted.affected",
        "id": "validate/faults_expected:_check wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/faults_expected:_check wanted.level",
    },
    "expect.faults.<id>.impact": {
        "affected": "validate/faults_expected:_judge_one wanted.affected",
        "unaffected": "validate/faults_expected:_judge_one wanted.unaffected",
    },
    "expect.lint": {
        "min_score": "validate/lint:judge_lint wanted.min_score",
        "id": "validate/lint:judge_lint wanted.id",
        "description": _DESCRIPTION,
        "level": "validate/lint:judge_lint wanted.level",
    },
    "expect.metrics[]": {
        "name": "validate/metrics:_judge_one wanted.name",
        "where": "validate/metrics:_lost wanted.where",
        "value": "validate/metrics:_breach wanted.value",
        "id": "validate/metrics:_judge_one wanted.id",
        "description": "plan/document:_checks_json own.description",
        "level": "validate/metrics:_values wanted.level",
    },
    "expect.logs[]": {
        "service": "validate/logs:_look wanted.service",
        "matches": "validate/logs:_look wanted.matches",
        "count": "validate/logs:_judge_one wanted.count",
        "id": "validate/logs:_judge_one wanted.id",
        "description": "plan/document:_checks_json own.description",
        "level": "validate/logs:_finding wanted.level",
    },
    "determinism": {
        "iterations": "plan/build:build_plan suite.determinism.iterations",
        "seed": "plan/build:_seed suite.determinism.seed",
        "identical": "validate/determinism:judge_determinism wanted.identical",
        "parallel": "run/session:_run_suite plan.suite.determinism.parallel",
        "normalize": "validate/fingerprint:normalise_options plan.suite.determinism.normalize",
        "compare": "validate/determinism:_first wanted.compare",
        "freeze_clock": "plan/surroundings:clock_of suite.determinism.freeze_clock",
        "vary": "plan/surroundings:nuisances suite.determinism.vary",
    },
    "determinism.normalize": {
        name: f"validate/fingerprint:normalise_options rules.{name}"
        for name in ("drop", "drop_spans", "replace", "siblings", "keep", "durations")
    },
    "determinism.normalize.durations": {"bucket": "validate/fingerprint:normalise_options rules.durations.bucket"},
    "determinism.normalize.replace[]": {
        "pattern": "validate/fingerprint:normalise_options r.pattern",
        "with": "validate/fingerprint:normalise_options r.replacement",
    },
}
WITHOUT_READER = {
    ("", "cleanroom"): "there is one version of the language, and the shape takes no other",
    ("", "vars"): "consumed by the templates",
    ("", "matrix"): "consumed by the templates: it makes suites of the file",
    ("", "meta"): "its keys have readers of their own",
    ("", "limits"): "all that it can hold is refused",
    ("", "network"): "its keys speak for themselves",
    ("", "cleanup"): "all that it can hold is refused",
    ("", "report"): "all that it can hold is refused",
    ("", "compose"): "consumed by the loader, which makes services of it",
    ("compose", "file"): "consumed by the loader",
    ("compose", "services"): "consumed by the loader",
    ("compose", "profiles"): "consumed by the loader",
    ("compose", "ignore"): "consumed by the loader",
    ("network", "egress"): "`none` is what every run does and proves; anything else is refused",
    ("expect.spans[]", "each"): "the contrary of `some`, and the shape refuses the two against each other",
}
"""Keys that no part of the program reads after loading, each with the reason why that is not nothing."""
