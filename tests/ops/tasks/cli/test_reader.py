"""Which words of a command line are tasks, and which are their values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke import ParseError
from invoke.parser import Argument, Parser, ParserContext

from django_runbook.tasks.cli.reader import Reader, spell_out

OPERANDS = {
    "db.sql": ("app_label", "migration_name"),
    "db.show": ("app_label",),
    "graph": ("app",),
    "bench": ("what",),
    "test": (),
    "db.check": (),
}
LISTS = {"db.show", "graph"}
WORDS = [*OPERANDS, "users", "a b", "", "0002", "--backwards", "--database", "--database=test", "="]


def contexts() -> dict[str, ParserContext]:
    """Return what Invoke's parser knows of the tasks."""
    return {
        name: ParserContext(
            name,
            args=[
                *(Argument(each, kind=list if name in LISTS else str) for each in operands),
                Argument("backwards", kind=bool, default=False),
                Argument("database", kind=str),
            ],
        )
        for name, operands in OPERANDS.items()
    }


def core() -> ParserContext:
    """Return some options of Invoke's own."""
    return ParserContext(
        args=[Argument("dry", kind=bool, default=False), Argument(names=("config", "f"), kind=str)]
    )


def read(words: list[str]) -> list[str]:
    """Return the words as Invoke gets them."""
    return list(spell_out(words, Reader(contexts(), OPERANDS, core().flags)))


@pytest.mark.parametrize(
    ("typed", "spelt"),
    [
        ("db.sql users 0002", "db.sql --app-label=users --migration-name=0002"),
        (
            "db.sql users --backwards 0002",
            "db.sql --app-label=users --backwards --migration-name=0002",
        ),
        ("db.sql --database x users", "db.sql --database x --app-label=users"),
        ("db.sql --app-label=users 0002", "db.sql --app-label=users --migration-name=0002"),
        ("db.sql --app-label users 0002", "db.sql --app-label users --migration-name=0002"),
        ("db.sql users test", "db.sql --app-label=users --migration-name=test"),
        ("db.sql test test test", "db.sql --app-label=test --migration-name=test test"),
        ("db.sql --database test users", "db.sql --database test --app-label=users"),
        ("db.sql --database db.check users", "db.sql --database db.check --app-label=users"),
        ("db.sql -f test users", "db.sql -f test --app-label=users"),
        ("db.sql a b c", "db.sql --app-label=a --migration-name=b c"),
        ("db.sql --help", "db.sql --help"),
        ("db.sql -x", "db.sql -x"),
        ("db.show a b", "db.show --app-label=a --app-label=b"),
        ("db.show a test", "db.show --app-label=a --app-label=test"),
        ("db.show a db.check test", "db.show --app-label=a db.check test"),
        ("graph test", "graph --app=test"),
        ("bench test test", "bench --what=test test"),
        ("test graph", "test graph"),
        ("test users", "test users"),
    ],
)
def test_words_become_the_options_of_their_task(typed, spelt):
    """A word takes the first free place; where none is free, a task's name begins a task."""
    assert read(typed.split()) == spelt.split()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("db.sql 0002 --app-label test", "--app-label has a value already: 0002"),
        ("db.sql --database=a --database test", "--database has a value already: a"),
        ("db.show --app-label", "--app-label needs a value."),
        ("db.show --app-label --backwards", "--app-label needs a value."),
        ("db.show --app-label --database=x", "--app-label needs a value."),
    ],
)
def test_second_value_and_none_are_refused(typed, message):
    """Invoke would take the second for a task, and run it; without one, a list would be empty."""
    with pytest.raises(ParseError) as refused:
        read(typed.split())
    assert str(refused.value) == message


@given(
    st.sampled_from([*OPERANDS]),
    st.lists(st.sampled_from([*WORDS, "--app-label", "--app-label=x"]), max_size=6),
)
def test_every_word_keeps_its_meaning_in_invoke(first, rest):
    """Any line is refused, or Invoke runs the tasks and finds the values that the rule says."""
    words = [first, *rest]
    try:
        spelt = read(words)
        found = Parser(contexts().values(), initial=core()).parse_argv(spelt)
    except ParseError:
        return  # one line and exit code 2: nothing runs
    assert len(spelt) == len(words)
    assert [(each.name, operands(each)) for each in found[1:]] == expected(words)


def operands(context: ParserContext) -> list[str]:
    """Return the values of a task's operands, as Invoke has them."""
    values = [context.args[name].value for name in OPERANDS[context.name]]
    lists = [value if isinstance(value, list) else [value] for value in values]
    return [each for value in lists for each in value if each is not None]


def expected(words: list[str]) -> list[tuple[str, list[str]]]:
    """Return each task with its values: the rule in other words, from left to right."""
    tasks: list[tuple[str, list[str]]] = []
    rest = iter(words)
    for word in rest:
        room = 0 if not tasks else 99 if tasks[-1][0] in LISTS else len(OPERANDS[tasks[-1][0]])
        if word == "--database":
            next(rest, None)
        elif word == "--app-label":
            tasks[-1][1].append(next(rest))
        elif word.startswith("--app-label="):
            tasks[-1][1].append(word.partition("=")[2])
        elif word.startswith("--"):
            continue
        elif word in OPERANDS and ("." in word or len(tasks[-1][1] if tasks else ()) >= room):
            tasks.append((word, []))
        else:
            tasks[-1][1].append(word)
    return tasks
