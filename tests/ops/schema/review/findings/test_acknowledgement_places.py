"""Where a comment must stand to accept a risk, whatever the operations look like."""

import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.schema.review.findings.acknowledgements import KNOWN, acknowledgements
from tests.ops.schema.review.findings.test_acknowledgements import listed, look

DYNAMIC = {
    "comprehension": "class Migration:\n    operations = [Op(x) for x in y]\n",
    "added to": "class Migration:\n    operations = [Op()]\n    operations += [Op()]\n",
    "appended": "class Migration:\n    operations = [Op()]\n    operations.append(Op())\n",
    "from outside": "class Migration:\n    operations = [Op()]\nMigration.operations += more\n",
    "star": "class Migration:\n    operations = [Op(), *more]\n",
    "a name": "class Migration:\n    operations = more\n",
    "a condition": "class Migration:\n    if x:\n        operations = [Op()]\n",
    "inherited": "class Migration(Base):\n    pass\n",
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_operations_that_are_computed(name: str, tmp_path: Path) -> None:
    """Where lines tell nothing about operations, a comment anywhere in the file accepts."""
    text = f"# accepts drop-column: unused\n{DYNAMIC[name]}"
    assert look(tmp_path, text, ("drop-column", 7), ("drop-table", 7)) == [
        "7 drop-column: unused",
        "7 drop-table: ",
    ]


BESIDE_NONE = (
    "class Migration:\n    # accepts drop-column: x\n    operations: list = [Op()]\n",
    "class Migration:\n    operations = [\n        Op(),\n        # accepts drop-column: x\n]\n",
)


@pytest.mark.parametrize("text", BESIDE_NONE)
def test_beside_no_operation(text: str, tmp_path: Path) -> None:
    """A comment outside the list, or behind its last operation, accepts none of them."""
    found = look(tmp_path, text, ("drop-column", 0))
    assert found[0] == "0 drop-column: "
    assert found[1].endswith("stands beside another operation than the one with that risk.")


RULE = st.sampled_from(sorted(KNOWN))
REASON = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(
    str.strip
)
OPERATION = st.sampled_from(
    [
        "Op()",
        "Op(\n            1,\n        )",
        'Op("""\n# accepts drop-table: text\n""")',
        "Op([{}])",
    ]
)
PLACED = st.lists(st.tuples(OPERATION, st.lists(st.tuples(RULE, REASON), max_size=3)), max_size=5)


@given(PLACED)
def test_each_comment_belongs_to_the_operation_below(
    placed: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    """Whatever operations look like and reasons hold, each comment is found at its operation."""
    lines = []
    for operation, comments in placed:
        lines += [f"# accepts {rule}: {reason}" for rule, reason in comments]
        lines += ["# a remark", "", f"{operation},"]
    found = acknowledgements(listed(*lines).encode())
    assert [(min(each.operations), each.rule, each.reason) for each in found] == [
        (index, rule, reason.strip())
        for index, (_, comments) in enumerate(placed)
        for rule, reason in comments
    ]
    assert all(len(each.operations) == 1 and not each.anywhere for each in found)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes more than the errors that are told."""
    try:
        acknowledgements(text.encode("utf-8", "surrogatepass"))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return
