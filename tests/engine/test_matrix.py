"""A matrix makes several suites of one spec, each with a name, a verdict and a digest of its own."""

from __future__ import annotations

from junitparser import JUnitXml

from tests.engine.runs import IMAGE, cleanroom, findings, line_of, write

SPEC = f"""
cleanroom: 1
meta: {{name: pair}}
matrix:
  word: [one, "two: three/four"]
services:
  box: {{image: "{IMAGE}", command: [sleep, infinity]}}
scenarios:
  - name: it says its word
    steps:
      - name: say
        exec: {{service: box, command: [echo, "{{{{ matrix.word }}}}"]}}
        expect: {{stdout: "one\\n"}}
expect:
  hermeticity: {{egress: none}}
determinism: {{iterations: 2}}
"""
RIGHT, WRONG = "pair (word=one)", "pair (word=two: three/four)"


def test_an_instance_fails_on_the_line_of_the_spec_and_the_other_passes(tmp_path):
    spec = write(tmp_path, "pair", SPEC)
    ran = cleanroom(spec.name, out=tmp_path / "report", cwd=tmp_path)
    assert ran.code == 1, ran.said
    assert {suite["name"] for suite in ran.report["suites"]} == {RIGHT, WRONG}
    assert list(findings(ran.suite(RIGHT))) == []
    found = list(findings(ran.suite(WRONG)))
    assert {finding["rule"] for finding in found} == {"step.stdout"}
    assert {finding["line"] for finding in found} == {line_of(spec, "expect: {stdout")}
    assert all("two: three/four" in finding["found"] for finding in found)
    junit = {suite.name: suite.failures for suite in JUnitXml.fromfile(str(tmp_path / "report" / "junit.xml"))}
    assert junit == {RIGHT: 0, WRONG: 1}
    digests = {suite["digest"] for suite in ran.report["suites"]}
    assert len(digests) == 2
