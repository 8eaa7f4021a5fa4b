"""In the text of a migration the old names become new ones, `replaces` goes, the rest stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_runbook.schema.squash.source.rewriting import renamed, without_replaces

keys = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2", "3", "ä"]))
NAMES = {("a", "1"): ("a", "s"), ("a", "2"): ("a", "s"), ("b", "ä"): ("b", "ö")}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(keys, max_size=6), st.sampled_from([", ", ",\n        ", ",  # ä\n  "]), st.booleans()
)
def test_any_list_of_names(listed: list[tuple[str, str]], between: str, trailing: bool) -> None:
    """Each name is the new one, in its place; those that were named are told; none comes twice."""
    inside = between.join(map(repr, listed)) + ("," if trailing and listed else "")
    text = f"class Migration:\n    dependencies = [{inside}]\n    other = [('a', '1')]\n"
    new, found = renamed(text, NAMES)
    scope: dict[str, type] = {}
    exec(new, scope)
    assert found == set(listed) & set(NAMES)
    ours = scope["Migration"].__dict__["dependencies"]
    wanted = [NAMES.get(key, key) for key in listed]
    assert list(dict.fromkeys(ours)) == list(dict.fromkeys(wanted))
    assert all(ours.count(key) == 1 for key in NAMES.values() if key not in listed and key in ours)
    assert new.endswith("    other = [('a', '1')]\n")


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("    replaces = [('a', '1')]\n\n    initial = True\n", "    initial = True\n"),
        ("    replaces: list = [\n        1,\n    ]\n    x = 1\n", "    x = 1\n"),
        ("    x = 1\n\n    replaces = (1,)\n\n    y = 2\n", "    x = 1\n\n    y = 2\n"),
        ("    y = 2\n", None),
        ("    def replaces(self): ...\n", None),
    ],
)
def test_replaces_goes_with_its_lines(body: str, left: str | None) -> None:
    """The assignment and the empty line after it; another class's is left alone."""
    head = "class Other:\n    replaces = 1\n\n\nclass Migration:\n"
    assert without_replaces(head + body) == (left if left is None else head + left)
