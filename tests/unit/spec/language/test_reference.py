from __future__ import annotations

import re

from cleanroom.spec.error_type import ERROR_TYPES
from cleanroom.spec.language.codes import CODES
from cleanroom.spec.language.reference import render_reference
from cleanroom.spec.lint.registry import RULES


def render(language):
    return render_reference(language)


def test_each_key_stands_with_type_default_example_doc_and_problems(language):
    text = render(language)
    assert "| `stop_grace` | text | `2s` | `5s` | How long it has. | [impossible](#impossible), " in text
    assert "| `image` | text | **required** | `some text` | The image \\| to run. |" in text
    assert "Text in the output. *Run later.*" in text


def test_a_key_links_to_the_mapping_that_it_takes(language):
    text = render(language)
    assert "| `ready` | a list of: [`services.<name>.ready[]`](#services-name-ready) |" in text
    assert '### <a id="services-name-ready"></a>`services.<name>.ready[]`' in text
    assert "- Exactly one of `tcp` and `log`." in text


def test_every_link_leads_somewhere(language):
    text = render(language)
    anchors = set(re.findall(r'<a id="([^"]+)">', text)) | {"comparators", "faults"}
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links
    assert links <= anchors
    assert "## Comparators" in text
    assert "## Faults" in text


def test_a_chapter_stands_once_and_in_the_order_of_the_file(language):
    chapters = re.findall(r"^## (.*)", render(language), re.MULTILINE)
    assert chapters == [
        "YAML", "Templates", "The file", "`services`", "`scenarios`", '<a id="expect"></a>`expect`', "Faults",
        "Comparators", "How expectations are judged", "Error types", "The runner's own spans", "Lint", "Problems",
    ]  # fmt: skip


def test_a_record_stands_once(language):
    headings = re.findall(r"^### .*", render(language), re.MULTILINE)
    assert len(set(headings)) == len(headings)


def test_faults_have_common_keys_once_and_their_own_by_family(language):
    text = render(language)
    faults = text[text.index("## Faults") : text.index("## Comparators")]
    assert faults.count("| `id` |") == 1
    assert re.findall(r"^###+ .*", faults, re.MULTILINE)[:4] == [
        "### The family `container`",
        '#### <a id="fault-container-kill"></a>`container.kill`',
        "### The family `network`",
        '#### <a id="fault-network-loss"></a>`network.loss`',
    ]
    assert faults.count("- Takes `id`.") == 12
    assert "| `percent` | a whole number from 1 to 100 | **required** | `1` | How many. *Run later.* |" in faults


def test_every_code_and_every_error_type_stands_in_it(language):
    text = render(language)
    for code in CODES:
        assert f'<a id="{code}"></a>`{code}`' in text
    for name in ERROR_TYPES:
        assert f"| `{name}` |" in text
    assert "| `sql:<code>` |" in text


def test_a_table_has_as_many_cells_in_each_row_as_in_its_head(language):
    head = 0
    for line in render(language).splitlines():
        if not line.startswith("|"):
            head = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", line))) - 1
        head = head or cells
        assert cells == head, line


def test_every_rule_of_lint_stands_in_it(language):
    text = render(language)
    for rule in RULES.values():
        assert f"| `{rule.name}` | {rule.level} |" in text
