"""What Invoke's command line lacks: Django's positional words, exit code 2, one line for an error.

Invoke takes a positional argument only where the task cannot do without it, and then takes
``--help`` for its value (pyinvoke issue 1046). Here ``inv db.migrate users 0002`` is read as
``inv db.migrate --app-label=users --migration-name=0002`` before Invoke's parser sees it.
"""

import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from invoke import Argument, Exit, Failure, ParseError, Program
from invoke.parser import Parser, ParserContext

from django_runbook.tasks.cli import completion

INTERRUPTED = 130
PIPE_CLOSED = 141
OWN = "This repository"


class KitProgram(Program):
    """Invoke's program, as it behaves once the kit's tasks are loaded."""

    def _make_parser(self) -> Parser:
        """Return a parser of the tasks that are named on the line: it copies all that it is given.

        Completion may name any, and gets them all.
        """
        if self.args.complete.value:
            return super()._make_parser()
        return Parser(initial=self.initial_context, contexts=self.named())

    def named(self) -> list[ParserContext]:
        """Return what the parser must know of the tasks whose name was typed."""
        return [
            ParserContext(name=name, aliases=aliases, args=self.collection[name].get_arguments())
            for name, aliases in self.collection.task_names.items()
            if {name, *aliases}.intersection(self.argv)
        ]

    def parse_tasks(self) -> None:
        """Parse the tasks and their options; what is wrong ends in one line and exit code 2."""
        contexts = {
            str(name): context
            for context in self.named()
            for name in (context.name, *context.aliases)
        }
        operands = {name: getattr(self.collection[name], "operands", ()) for name in contexts}
        self.core.unparsed = list(spell_out(self.core.unparsed, contexts, operands))
        try:
            super().parse_tasks()
        except ParseError as error:
            raise Exit(explain(error, list(self.collection.task_names)), code=2) from error

    def parse_cleanup(self) -> None:
        """Complete app and migration names where a task takes them; else as Invoke does."""
        if self.args.complete.value:
            names = completion.names(self.core.remainder, self.collection)
            if names:
                print("\n".join(names))
                raise Exit
        try:
            super().parse_cleanup()
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise pipe_closed() from error
        except ParseError as error:
            raise Exit(explain(error, list(self.collection.task_names)), code=2) from error

    def no_tasks_given(self) -> None:
        """List the tasks, in their groups."""
        self.list_root, self.list_depth = None, 0
        self.list_flat()
        raise Exit

    def list_flat(self) -> None:
        """Print the tasks under the heading of their group."""
        if self.list_root or self.list_depth:
            super().list_flat()
            return
        groups: dict[str, list[tuple[str, str | None]]] = {}
        for name, line in self._make_pairs(self.scoped_collection):
            task = self.collection[name.split()[0]]
            module = sys.modules[task.body.__module__]
            groups.setdefault(getattr(module, "GROUP", OWN), []).append((name, line))
        width = max(len(name) for pairs in groups.values() for name, _line in pairs)
        print("inv TASK --help explains one; what stands after -- is passed on unchanged.\n")
        for heading in sorted(groups, key=lambda group: (group != OWN, group)):
            print(f"{heading}:")
            self.print_columns([(name.ljust(width), line) for name, line in groups[heading]])

    def execute(self) -> None:
        """Run the tasks. Ctrl-C is 130; an error that nobody foresaw is one line, or --debug's."""
        gc.enable()  # ./inv starts without it
        try:
            super().execute()
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            raise Exit(code=INTERRUPTED) from error
        except BrokenPipeError as error:
            raise pipe_closed() from error
        except (Exit, Failure):
            raise  # Invoke's own ends, with their own codes
        except Exception as error:
            if self.args.debug.value:
                raise
            reason = " ".join(str(error).split())
            message = f"{type(error).__name__}: {reason}. 'inv --debug' shows where."
            raise Exit(message, code=1) from error


def pipe_closed() -> Exit:
    """Return the end of a task whose reader has gone: silent, with the code of SIGPIPE."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit(code=PIPE_CLOSED)


def spell_out(
    words: Sequence[str],
    contexts: Mapping[str, ParserContext],
    operands: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """Yield the words with positional ones turned into options of their task.

    The name of a task begins that task, also where a value could stand; an option's value stays
    with its option; a word that begins with ``-`` is never a value.
    """
    free: list[Argument] = []
    flags: Mapping[str, Any] = {}
    value_of_option = False
    for word in words:
        if value_of_option:
            value_of_option = False
            yield word
        elif word in contexts:
            flags = contexts[word].flags
            free = [contexts[word].args[name] for name in operands[word]]
            yield word
        elif word.startswith("-") or not free:
            value_of_option = word in flags and flags[word].takes_value
            yield word
        else:
            yield f"--{str(free[0].name).replace('_', '-')}={word}"
            if free[0].kind is not list:
                free.pop(0)


def explain(error: ParseError, names: Sequence[str]) -> str:
    """Return one line for what Invoke could not parse, with the near names."""
    text = str(error)
    word = text.removeprefix("No idea what '").removesuffix("' is!")
    if word == text:
        return text
    import difflib

    known = [*names, *(error.context.flags if error.context else ())]
    near = difflib.get_close_matches(word, known, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "'inv' lists the tasks."
    kind = "option" if word.startswith("-") else "task"
    return f"There is no {kind} '{word}'. {hint}"
