"""What is the same for every command of the kit."""

import pytest
from django.core.management import CommandError, get_commands, load_command_class
from django.db import connections

COMMANDS = sorted(name for name, app in get_commands().items() if app == "django_runbook.schema")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_alias_is_a_usage_error(name: str) -> None:
    """It is refused by the parser, which names those that there are: exit code 2."""
    parser = load_command_class("django_runbook.schema", name).create_parser("manage.py", name)
    asked = [action for action in parser._actions if action.dest == "database"]
    assert [action.choices for action in asked] in ([], [tuple(connections)])


def test_it_says_which_aliases_there_are() -> None:
    """One line, with the word that was wrong."""
    parser = load_command_class("django_runbook.schema", "target").create_parser(
        "manage.py", "target"
    )
    parser.called_from_command_line = False
    with pytest.raises(CommandError) as raised:
        parser.parse_args(["--database", "nope"])
    said = str(raised.value)
    assert said.startswith("Error: argument --database: invalid choice: 'nope' (choose from ")
