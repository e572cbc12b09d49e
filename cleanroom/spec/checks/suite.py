"""Cross-references: what each part of a spec says about the others, and about the files it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.checks.declared import declared_by_all, declared_in
from cleanroom.spec.checks.expect import check_expect
from cleanroom.spec.checks.paths import Paths, settle
from cleanroom.spec.checks.question import check_sql_files
from cleanroom.spec.checks.scenario import check_scenario
from cleanroom.spec.checks.service import check_services, declared_services
from cleanroom.spec.document import Table
from cleanroom.spec.operand import shown
from cleanroom.spec.reference import items_at, locate, require_unique

if TYPE_CHECKING:
    from pathlib import Path

    from cleanroom.spec.declared import Declared
    from cleanroom.spec.document import Node
    from cleanroom.spec.expect import Expect
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.suite import Suite


def check(suite: Suite, document: Table, log: ProblemLog, root: Path, directory: Path) -> Suite:
    """Report what does not fit together; returns the suite with its paths relative to the workspace `root`.

    Paths in the spec are relative to its own `directory`. A name counts as declared when it is written, even where the
    rest of its declaration is broken.
    """
    check_services(suite, document, log)
    names = declared_services(document)
    read = {service.name: service for service in suite.services}
    written = document.get("services")
    services = {e.key: read.get(e.key) for e in written.entries} if isinstance(written, Table) else {}
    nodes = {node.at: node for node in items_at(document, "scenarios")}
    titles = [(scenario.name, locate(nodes[scenario.at], "name") or nodes[scenario.at]) for scenario in suite.scenarios]
    require_unique(((name, node.at) for name, node in titles), "scenario", log)
    broken = [node for at, node in nodes.items() if at not in {scenario.at for scenario in suite.scenarios}]
    declared = [declared_in(None, node, names) for node in broken]
    for scenario in suite.scenarios:
        node = nodes[scenario.at]
        declared.append(declared_in(scenario, node, names))
        check_scenario(scenario, node, (services, names), log)
        _check_looks(scenario, node, document, log)
        _check_expectations(scenario.expect, node, declared[-1], log)
    _check_expectations(suite.expect, document, declared_by_all(tuple(declared), names), log)
    paths = Paths(log, root.resolve(), directory)
    check_sql_files(document, paths)
    return settle(suite, document, paths)


def _check_expectations(expect: Expect | None, node: Node, declared: Declared, log: ProblemLog) -> None:
    written = locate(node, "expect")
    if expect is not None and written is not None:
        check_expect(expect, written, declared, log)


def _check_looks(scenario: Scenario, node: Node, document: Table, log: ProblemLog) -> None:
    """Refuse a scenario that injects faults and never looks at what they did."""
    chaos = locate(node, "chaos")
    if not items_at(chaos) or chaos is None:
        return
    if document.get("expect") or _looks(node):
        return
    message = f"the scenario {shown(scenario.name)} injects faults and expects nothing"
    suggestion = "say what must hold: expect in the scenario, in a step or in the suite"
    log.report("never-looks", chaos.at, message, suggestion=suggestion)


def _looks(scenario: Node) -> bool:
    """Whether an expectation, or a probe or an oracle whose answer decides, looks at what happens."""
    if any(locate(scenario, *path) for path in (("expect",), ("steady_state",), ("property", "oracle"))):
        return True
    pending = list(items_at(scenario, "steps"))
    while pending:
        step = pending.pop()
        if locate(step, "expect") or locate(step, "wait_for"):
            return True
        pending += items_at(step, "parallel")
        pending += [found for item in items_at(step, "workload", "mix") if (found := locate(item, "step"))]
        pending += [part for session in items_at(step, "sql", "sessions") for part in items_at(session, "steps")]
    return False
