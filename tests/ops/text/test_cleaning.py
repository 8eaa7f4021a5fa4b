"""Text from outside: nothing steers a terminal, a database or a CI service."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.text.cleaning import clean, in_clean_lines, one_line, storable, unbroken
from tests.ops.text.hostile import COMMANDS, harmful

HOSTILE = st.text(
    st.characters() | st.sampled_from("\x00\x07\x1b\x9b\r\n\u202e\u2066\u2028: #[]\ud800"),
    max_size=60,
) | st.sampled_from(COMMANDS)


@given(HOSTILE)
def test_nothing_that_steers_is_left(text):
    """No control, no bidirectional mark, no half character, no workflow command: in each form."""
    for cleaned in (clean(text), one_line(text), unbroken(text)):
        assert harmful(cleaned) == []
    assert "\n" not in one_line(text) + unbroken(text)
    assert storable(text).encode().count(0) == 0


@given(HOSTILE)
def test_cleaning_twice_is_cleaning_once(text):
    """What was cleaned may be cleaned again."""
    for cleaner in (clean, one_line, unbroken, storable):
        assert cleaner(cleaner(text)) == cleaner(text)


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters=":#")))
def test_what_is_harmless_is_unchanged(text):
    """Every script, accent, emoji and sign stays as it is."""
    assert clean(text) == storable(text) == unbroken(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\x00b", r"a\x00b"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("100%\rdone", r"100%\rdone"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("::set-output name=x::y", r"\x3a:set-output name=x::y"),
        ("a\n  ::add-mask::b", "a\n  \\x3a:add-mask::b"),
        ("\u00a0::stop-commands::t", "\u00a0\\x3a:stop-commands::t"),
        ("it ##[set-env name=A]b", r"it \x23#[set-env name=A]b"),
        ("##vso[task.setvariable variable=a]b", r"\x23#vso[task.setvariable variable=a]b"),
        ("::1", "::1"),
        ("price::integer, ## Heading", "price::integer, ## Heading"),
        ("naïve 日本語 👩‍👩‍👧 العربية", "naïve 日本語 👩‍👩‍👧 العربية"),
    ],
)
def test_it_is_shown_as_python_escapes_it(text, shown):
    """What was there can be seen, and does nothing."""
    assert clean(text) == shown


def test_lines_stay_lines():
    """A name with a line break in it does not make two lines of a report."""
    told = in_clean_lines(lambda *names: (f"  {name}" for name in names))
    assert list(told("a\nb", "::x::y")) == ["  a b", "  \\x3a:x::y"]


def test_the_harm_is_seen_where_it_is():
    """What these tests look with finds each character that Unicode calls a control."""
    controls = [chr(it) for it in range(0x110000) if unicodedata.category(chr(it)) == "Cc"]
    assert all(harmful(it) for it in controls if it not in "\n\t")
    assert re.search("::", COMMANDS[0])
    assert all(harmful(command) for command in COMMANDS)
