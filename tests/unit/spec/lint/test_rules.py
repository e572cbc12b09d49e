"""Every rule, where it finds something and where it does not."""

from __future__ import annotations

import pytest

from cleanroom.spec.document import read_document
from cleanroom.spec.lint.check import lint_text
from cleanroom.spec.lint.registry import RULES, documentation
from cleanroom.spec.problem import ProblemLog

OF_COMMENTS = {"unused-allow", "broken-allow"}
STEP = "{name: a, http: {service: api}}"


def scenario(steps=f"[{STEP}]", **more):
    return f"scenarios:\n  - name: s\n    steps: {steps}\n" + "".join(
        f"    {key}: {text}\n" for key, text in more.items()
    )


def chaos(fault, expect="{counts: {errors: 0}}", **more):
    return scenario(chaos=f"[{fault}]", expect=expect, **more)


def services(text):
    return f"services:\n  api: {text}\n"


# For each rule: what it finds (the line and column, and the text), and what it leaves alone.
FOUND = {
    "counts-only": [
        ("expect: {spans: [{name: a, count: 2}]}\n", "1:18"),
        ("expect: {spans: [{name: {regex: ^a}, service: b, kind: server}]}\n", "1:18"),
        ("expect: {counts: {spans: {gte: 1}}}\n", "1:10"),
        ("expect: {outcome: passed, counts: {by_name: {a: 2}}}\n", "1:27"),
    ],
    "matches-everything": [
        ("expect: {spans: [{name: '*', status: ok}]}\n", "1:25"),
        ("expect: {spans: [{name: {regex: '.*'}, count: 2}]}\n", "1:25"),
    ],
    "always-holds": [
        ("expect: {spans: [{name: a, count: {gte: 0}}]}\n", "1:35"),
        ("expect: {counts: {errors: {gte: 0}, spans: 1}}\n", "1:27"),
        ("expect: {counts: {by_name: {a: {gte: 0}}}}\n", "1:32"),
        ("expect: {status: {all: {in: [unset, ok, error]}}}\n", "1:24"),
        ("expect: {spans: [{name: a, status: {in: [error, ok, unset]}}]}\n", "1:36"),
    ],
    "no-negative-check": [("cleanroom: 1\nexpect: {spans: [{name: a, status: ok}]}\n", "2:1")],
    "warnings-only": [("expect: {spans: [{name: a, level: warning}], counts: {errors: 0, level: warning}}\n", "1:35")],
    "scenario-without-expect": [(scenario(), "2:5")],
    "long-sleep": [(scenario("[{name: w, sleep: 1s}]"), "3:23")],
    "duplicate-step": [(scenario("[{name: a, exec: {command: x}}, {name: b, exec: {command: x}}]"), "3:44")],
    "step-outlives-scenario": [
        (scenario("[{name: a, timeout: 60s, http: {service: api}}]"), "3:23"),
        (scenario("[{name: a, timeout: 5s, http: {service: api}}]", timeout="5s"), "3:23"),
    ],
    "everything-optional": [(scenario("[{name: a, optional: true, http: {service: api}}]"), "3:23")],
    "unspecific-failure": [(scenario(expect_failure="true"), "4:5")],
    "unverified-tls": [(scenario("[{name: a, http: {url: x, tls_verify: false}}]"), "3:38")],
    "no-verify": [(chaos("{id: f, fault: container.kill, verify: false}"), "4:44")],
    "fault-without-expectation": [
        (chaos("{id: f, fault: container.kill}"), "4:14"),
        (chaos("{id: f, fault: container.kill}", "{spans: [{name: a, during: other}]}"), "4:14"),
        (chaos("{fault: container.kill}"), "4:13"),
    ],
    "rare-fault": [
        (chaos("{id: f, probability: 0.1}"), "4:21"),
        ("determinism: {iterations: 2}\n" + chaos("{id: f, probability: 0.4}"), "5:21"),
    ],
    "everything-may-be-inconclusive": [
        (chaos("{id: f, allow_inconclusive: {reason: x}}"), "4:21"),
        (chaos("{id: f}", allow_inconclusive="{reason: x}"), "6:5"),
    ],
    "random-seed": [("determinism: {seed: random}\n", "1:21")],
    "single-iteration": [("determinism: {iterations: 1}\n", "1:27")],
    "not-identical": [("determinism: {identical: false}\n", "1:26")],
    "drops-everything": [("determinism: {normalize: {drop: [a, '*']}}\n", "1:37")],
    "retry-on-anything": [(scenario("[{name: a, retry: {attempts: 3}, http: {service: api}}]"), "3:23")],
    "unpinned-image": [
        (services("{image: redis}"), "2:16"),
        (services("{image: 'redis:latest'}"), "2:16"),
        (services("{image: 'host:5000/redis'}"), "2:16"),
    ],
    "image-by-tag": [(services("{image: 'redis:7'}"), "2:16")],
    "unused-service": [("services:\n  api: {image: a}\n  db: {image: b}\n" + scenario(), "3:3")],
    "unknown-selected-service": [
        (services("{image: a}") + "expect: {spans: [{service: web, count: 0}]}\n", "3:28"),
        (services("{image: a}") + "expect: {rate: [{spans: {service: 'w*'}, max: 1}]}\n", "3:35"),
    ],
    "literal-secret": [
        (services("{environment: {POSTGRES_PASSWORD: x}}"), "2:23"),
        (services("{build: {args: {API_KEY: 1}}}"), "2:24"),
    ],
    "open-egress": [("network: {egress: {allow: ['a:443']}}\n", "1:20")],
    "unused-variable": [
        ("vars: {a: 1, b: 2}\nx: '{{ vars.b }}'\n", "1:8"),
        ("vars: {a: 1}\n# vars.b\n", "1:8"),
    ],
    "unused-anchor": [("a: &x 1\nb: &y 2\nc: *y\n", "1:4")],
    "missing-description": [("meta: {name: a}\n", "1:1"), ("cleanroom: 1\n", "1:1")],
}
CLEAN = {
    "counts-only": [
        "expect: {spans: [{name: a, count: 0}, {name: b, status: ok}, {name: c, during: f}]}\n",
        "expect: {counts: {errors: 0}}\n",
        "expect: {counts: {spans: 1}, status: {all: {ne: error}}}\n",
    ],
    "matches-everything": ["expect: {spans: [{name: '*', service: a}, {name: 'a*'}, {service: a}]}\n"],
    "always-holds": [
        "expect: {spans: [{name: a, count: {gte: 0}, status: ok}]}\n",
        "expect: {counts: {errors: {gte: 1}, spans: {gte: 0, lt: 9}}, status: {all: {in: [unset, ok]}}}\n",
    ],
    "no-negative-check": [
        *(
            f"expect: {{{text}}}\n"
            for text in (
                "spans: [{name: a, count: 0}]", "spans: [{name: a, attributes: {none: [p]}}]", "counts: {errors: 0}",
                "counts: {by_name: {a: 0}}", "graph: {no_edges: [[a, b]]}", "hermeticity: {services: closed}",
                "hermeticity: {egress: none}", "hermeticity: {leaks: none}", "status: {all: {ne: error}}",
                "spans: [{name: a, count: {lte: 0}}]", "resources: {api: {oom_killed: false}}",
            )
        ),
        scenario("[{name: a, http: {service: api}, expect: {error_type: timeout}}]", expect="{outcome: failed}"),
        scenario(expect_failure="true", expect="{outcome: failed}"),
    ],
    "warnings-only": ["expect: {spans: [{name: a, level: warning}, {name: b}]}\n", "expect: {outcome: passed}\n"],
    "scenario-without-expect": [scenario(expect="{outcome: passed}"), scenario() + "expect: {counts: {errors: 0}}\n"],
    "long-sleep": [scenario("[{name: w, sleep: 900ms}]")],
    "duplicate-step": [
        scenario("[{name: a, exec: {command: x}}, {name: b, exec: {command: y}}]"),
        scenario(
            "[{name: a, exec: {command: x}}, {name: b, exec: {command: x}}]", chaos="[{id: f, at: {after_step: a}}]"
        ),
    ],
    "step-outlives-scenario": [
        scenario("[{name: a, timeout: 59s, http: {service: api}}]"),
        scenario("[{name: a, timeout: 60s, http: {service: api}}]", timeout="61s"),
    ],
    "everything-optional": [
        scenario(f"[{{name: a, optional: true, sleep: 1ms}}, {STEP}]"),
        scenario("[{name: a, optional: true, sleep: 1ms}]", expect="{outcome: passed}"),
    ],
    "unspecific-failure": [
        scenario("[{name: a, exec: {}, expect: {exit_code: 1}}]", expect_failure="true"),
        scenario(expect_failure="false"),
    ],
    "unverified-tls": [scenario("[{name: a, http: {url: x, tls_verify: true}}]")],
    "no-verify": [chaos("{id: f, verify: true}"), chaos("{id: f}")],
    "fault-without-expectation": [
        chaos("{id: f}", "{spans: [{name: a, during: f}]}"),
        chaos("{id: f}", "{faults: {f: {verified: true}}}"),
        chaos("{id: f}", "{spans: [{name: cleanroom.recovery}]}"),
        chaos("{id: f}", "{resilience: {recovery_time: {lte: 1s}}}"),
        chaos("{id: f}") + "expect: {spans: [{name: a, after: f}]}\n",
    ],
    "rare-fault": [chaos("{id: f, probability: 0.2}"), chaos("{id: f, probability: 0.1, repeat: {times: 2}}")],
    "everything-may-be-inconclusive": [chaos("{id: f, allow_inconclusive: {reason: x}}, {id: g}"), scenario()],
    "random-seed": ["determinism: {seed: 42}\n"],
    "single-iteration": ["determinism: {iterations: 2}\n"],
    "not-identical": ["determinism: {identical: true}\n"],
    "drops-everything": ["determinism: {normalize: {drop: ['a*']}}\n"],
    "retry-on-anything": [scenario("[{name: a, retry: {attempts: 3, on: [timeout]}, http: {service: api}}]")],
    "unpinned-image": [
        services("{image: 'redis:7'}"), services("{image: 'redis@sha256:abc'}"), services("{build: {}}"),
    ],
    "image-by-tag": [services("{image: 'redis:7@sha256:abc'}"), services("{image: redis}")],
    "unused-service": [
        "services:\n  api: {image: a, depends_on: [db]}\n  db: {image: b}\n" + scenario(),
        "services:\n  api: {environment: {U: 'pg://db:1'}}\n  db: {image: b}\n" + scenario(),
        "services: {db: {image: a}}\n" + scenario(),
    ],
    "unknown-selected-service": [
        services("{image: a}") + "expect: {spans: [{service: api}, {service: 'a*'}, {service: {regex: x}}]}\n",
        services("{telemetry: {service_name: web}}") + "expect: {spans: [{service: web}]}\n",
        services("{environment: {OTEL_SERVICE_NAME: web}}") + "expect: {spans: [{service: web}]}\n",
        services("{environment: {OTEL_RESOURCE_ATTRIBUTES: service.name=web}}") + "expect: {spans: [{service: web}]}\n",
        services("{replicas: 2}") + "expect: {spans: [{service: api-2}]}\n",
        "compose: {file: a}\nexpect: {spans: [{service: web}]}\n",
    ],
    "literal-secret": [
        services("{environment: {PASSWORD: '{{ env(\"P\") }}', PASSWORD_FILE: /run/x, USER: a, TOKEN: ''}}"),
    ],
    "open-egress": ["network: {egress: none}\n"],
    "unused-variable": [
        "vars: {a: 1, b: 2, c: 3}\nx: '{{ vars.a }} {{ vars[\"b\"] + vars . c }}'\n",
        "vars: {a: 1}\nx: '{{ to_json(vars) }}'\n",
    ],
    "unused-anchor": ["a: &x {b: 1}\nc: {<<: *x}\n"],
    "missing-description": ["meta: {description: x}\n"],
}  # fmt: skip


def found(text, rule):
    log = ProblemLog("x")
    document = read_document(text, log)
    assert not log.found
    return [finding for finding in lint_text(text, [document], "x") if finding.rule == rule]


def test_every_rule_is_tried_both_ways():
    assert set(FOUND) == set(CLEAN) == set(RULES) - OF_COMMENTS


@pytest.mark.parametrize(("rule", "text", "place"), [(r, *case) for r, cases in FOUND.items() for case in cases])
def test_a_rule_finds_its_weakness_where_it_stands(rule, text, place):
    findings = found(text, rule)
    assert [str(finding.at) for finding in findings] == [f"x:{place}"]
    assert findings[0].level == RULES[rule].level
    assert findings[0].remedy == RULES[rule].remedy
    line, column = map(int, place.split(":"))
    assert findings[0].excerpt == f"{text.splitlines()[line - 1]}\n{' ' * (column - 1)}^"


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in CLEAN.items() for text in texts])
def test_a_rule_leaves_alone_what_is_no_weakness(rule, text):
    assert found(text, rule) == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_every_rule_is_documented(rule):
    assert rule.summary.endswith(".")
    assert rule.why.endswith(".")
    assert rule.remedy
    assert rule.remedy[-1] not in ".!"
    assert rule.name == rule.name.lower()
    assert rule.summary in documentation()[rule.name]


def test_an_instance_of_a_matrix_repeats_no_finding():
    text = "determinism: {iterations: 1}\n"
    documents = [read_document(text, ProblemLog("x")) for _ in range(3)]
    rules = [finding.rule for finding in lint_text(text, documents, "x")]
    assert rules == ["missing-description", "single-iteration"]
