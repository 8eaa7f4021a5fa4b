"""What Invoke's command line lacks: Django's positional words, exit code 2, one line for an error.

Invoke takes a positional argument only where the task cannot do without it, and then takes
``--help`` for its value (pyinvoke issue 1046). Here ``inv db.migrate users 0002`` is read as
``inv db.migrate --app-label=users --migration-name=0002`` before Invoke's parser sees it.
"""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from invoke import Call, Executor, Exit, ParseError, Program
from invoke.parser import Parser, ParserContext

from django_runbook.tasks.cli.declaration import KitTask
from django_runbook.tasks.cli.ends import in_one_line
from django_runbook.tasks.cli.reader import Reader, spell_out
from django_runbook.tasks.processes import process
from django_runbook.text import streams, uncaught

OWN = "This repository"


class KitProgram(Program):
    """Invoke's program, as it behaves once the kit's tasks are loaded."""

    def _make_parser(self) -> Parser:
        """Return a parser of the tasks that are named on the line, for it copies all of them."""
        return Parser(initial=self.initial_context, contexts=self.named())

    def named(self) -> list[ParserContext]:
        """Return what the parser must know of the tasks whose name was typed."""
        return [
            ParserContext(name=name, aliases=aliases, args=self.collection[name].get_arguments())
            for name, aliases in self.collection.task_names.items()
            if {name, *aliases}.intersection(self.argv)
        ]

    def parse_core_args(self) -> None:
        """Print the completion script where that was asked for: Invoke's own knows one name."""
        super().parse_core_args()
        if shell := self.args["print-completion-script"].value:
            from django_runbook.tasks.cli import completion_scripts

            launcher = Path(self.args["search-root"].value or "", "inv").absolute()
            print(completion_scripts.script(shell, launcher), end="")
            raise Exit

    def parse_tasks(self) -> None:
        """Parse the tasks and their options; what is wrong ends in one line and exit code 2."""
        streams.require()
        if self.core.unparsed[:1] == ["--traceback"]:  # Invoke has --debug, which logs besides
            self.core.unparsed.pop(0)
        with in_one_line(debug=uncaught.shows_all(self.argv)):
            try:
                self.core.unparsed = list(spell_out(self.core.unparsed, self.reader(self.named())))
                super().parse_tasks()
            except ParseError as error:
                raise Exit(explain(error, list(self.collection.task_names)), code=2) from error
            except ValueError as error:  # of an option that is a number
                raise Exit(f"{error}. 'inv TASK --help' tells what it takes.", code=2) from error

    def reader(self, known: Sequence[ParserContext]) -> Reader:
        """Return what reads the words of a line on which these tasks may stand."""
        contexts = {str(name): each for each in known for name in (each.name, *each.aliases)}
        operands = {name: getattr(self.collection[name], "operands", ()) for name in contexts}
        return Reader(contexts, operands, core=self.initial_context.flags)

    def parse_cleanup(self) -> None:
        """Print what may stand next where completion asks; else as Invoke does."""
        with in_one_line(debug=uncaught.shows_all(self.argv)):
            if self.args.complete.value:
                from django_runbook.tasks.cli import completion

                known = self.reader(self.named())
                names = completion.names(process.typed(), self.collection, known)
                print("".join(f"{name}\n" for name in names), end="")
                raise Exit
            try:
                super().parse_cleanup()
            except ParseError as error:
                raise Exit(explain(error, list(self.collection.task_names)), code=2) from error

    def update_config(self, merge: bool = True) -> None:
        """Let nothing but the command line say ``--dry``, and nothing say another repository.

        ``INVOKE_RUN_DRY`` and ``~/.invoke.yaml`` are somebody's, for somebody's ``c.run``: a job
        that a schedule starts would be a line that is printed, with exit code 0; or be another
        repository's.
        """
        super().update_config(merge)
        self.config["run"]["dry"] = bool(self.args.dry.value)
        self.config["tasks"]["executor_class"] = None
        self.config.update(runbook=self.collection.configuration()["runbook"])

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
        self.executor_class = KitExecutor
        with in_one_line(debug=uncaught.shows_all(self.argv)):
            super().execute()


class KitExecutor(Executor):
    """Invoke's executor, which says what it will call: only the last may become a command."""

    def expand_calls(self, calls: list[Call]) -> list[Call]:
        """Return the calls, with what stands before and after each."""
        found: list[Call] = super().expand_calls(calls)
        KitTask.calls = [call.task for call in found]
        return found


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
