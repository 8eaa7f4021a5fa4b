"""Rendered files: which are up to date, which are old, and which a hand has changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_runbook.schedule import github
from django_runbook.schedule.rendered import (
    BLOCK,
    DIGEST,
    NONE,
    State,
    Verdict,
    compare,
    judge,
    seal,
)
from tests.ops.schedule.goldens import DAILY, SCHEDULE, WEEKLY

FILE = ".github/workflows/expire_trials.yml"
TEXT = github.render(DAILY, SCHEDULE)
OLD = github.render(WEEKLY, SCHEDULE)
OWN = """\
      - name: Say hello
        uses: actions/hello@0000000000000000000000000000000000000000 # v1
        run: echo hello # digest: 0
"""
NEWER = "actions/checkout@1111111111111111111111111111111111111111 # v9.0.0"
AT_BEGIN, AT_END = "      # --- yours: before: begin ---\n", "      # --- yours: before: end ---\n"


def with_own(text, own=OWN):
    """Return a text with lines of the user's."""
    assert AT_BEGIN in text
    return text.replace(AT_BEGIN, AT_BEGIN + own)


def verdict(found, state, text=TEXT):
    """Return what a judgement should be."""
    return Verdict(file=FILE, state=state, found=found, text=text)


def test_up_to_date():
    """As it was rendered, with lines of the user's, and with a newer commit of an action."""
    for found in (TEXT, with_own(TEXT), TEXT.replace(github.CHECKOUT, NEWER)):
        assert judge(FILE, found, TEXT) == verdict(found, State.CURRENT, found)


def test_missing_and_strange():
    """What is not there, and what somebody else wrote."""
    assert judge(FILE, None, TEXT) == verdict(None, State.MISSING)
    assert judge(FILE, "on: push\n", TEXT) == verdict("on: push\n", State.STRANGE)
    assert judge(FILE, "", TEXT) == verdict("", State.STRANGE)


def test_old_file_keeps_what_is_the_users():
    """After a change of pyproject.toml: the lines between the marks, and the newer commit."""
    found = with_own(OLD).replace(github.CHECKOUT, NEWER)
    kept = with_own(TEXT).replace(github.CHECKOUT, NEWER)
    assert judge(FILE, found, TEXT) == verdict(found, State.OLD, kept)


@pytest.mark.parametrize(
    "found",
    [
        with_own(TEXT).replace("contents: read", "contents: write"),
        with_own(OLD).replace("contents: read", "contents: write"),
        with_own(TEXT).replace("persist-credentials: false", "persist-credentials: true"),
        with_own(TEXT).replace("actions/checkout@", "actions/checkin@"),
        with_own(TEXT) + "# more\n",
    ],
)
def test_changed_by_hand(found):
    """Anything outside of the marks; whoever insists still keeps what is between them."""
    assert judge(FILE, found, TEXT) == verdict(found, State.CHANGED, with_own(TEXT))


@pytest.mark.parametrize(
    "found",
    [
        with_own(TEXT).replace(AT_END, ""),
        with_own(TEXT).replace(AT_BEGIN, AT_BEGIN * 2),
        with_own(TEXT).replace(AT_END, AT_END + AT_BEGIN + AT_END),
        with_own(TEXT).replace("yours: before:", "yours: beyond:"),
    ],
)
def test_broken_marks_are_a_change_by_hand(found):
    """What cannot be kept in its place is not dropped in silence."""
    assert judge(FILE, found, TEXT) == verdict(found, State.CHANGED)


def test_own_lines_that_have_no_place_any_more():
    """A later kit may render other marks: empty ones go, what is the user's is not dropped."""
    old = seal(DIGEST.sub(NONE, TEXT.replace("yours: before:", "yours: beyond:")))
    assert judge(FILE, old, TEXT) == verdict(old, State.OLD)
    found = old.replace("beyond: begin ---\n", f"beyond: begin ---\n{OWN}")
    assert judge(FILE, found, TEXT) == verdict(found, State.CHANGED)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.characters(codec="utf-8"))
def test_every_character_counts(place, character):
    """One other character anywhere is found: no place outside of the marks is left unwatched.

    But for the commit and the version of an action, and for what is now between the marks.
    """
    found = TEXT[:place] + character + TEXT[place + 1 :]
    state = judge(FILE, found, TEXT).state
    pin = TEXT.index("@", TEXT.index("uses: ")), TEXT.index("\n", TEXT.index("uses: "))
    if found == TEXT or pin[0] < place < pin[1]:
        return
    assert state in {State.CHANGED, State.STRANGE}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))).map("\n".join))
def test_whatever_the_user_writes_is_kept(own):
    """To the character, however odd; but for the marks themselves."""
    own = f"{own}\n" if own else ""
    found = with_own(OLD, own)
    kept = judge(FILE, found, TEXT)
    assert (kept.state, kept.text) == (State.OLD, with_own(TEXT, own))
    assert judge(FILE, kept.text, TEXT).state is State.CURRENT


def test_comparing_a_folder():
    """Wanted files in their order, then rendered ones that nobody declares; others are not ours."""
    found = {"ci.yml": "on: push\n", "gone.yml": OLD, FILE: TEXT}
    wanted = {"new.yml": OLD, FILE: TEXT}
    assert [str(verdict) for verdict in compare(found, wanted)] == [
        "new.yml is missing. Run 'inv schedule.render'.",
        f"{FILE} is up to date",
        "gone.yml is of no declared job any more. Run 'git rm gone.yml'.",
    ]


def test_rendered_marks_are_pairs():
    """Each form of a workflow has room for the environment and for steps."""
    assert [pair["name"] for pair in BLOCK.finditer(TEXT)] == ["env", "before", "after"]
    status = github.render_status(SCHEDULE)
    assert [pair["name"] for pair in BLOCK.finditer(status)] == ["env", "before"]
