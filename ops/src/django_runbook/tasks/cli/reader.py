"""Reads the words of a command line: which are tasks, options, values, and what may stand next."""

from collections.abc import Iterator, Mapping, Sequence

from invoke import Argument, ParseError
from invoke.parser import ParserContext


class Reader:
    """Where a command line stands after the words that were read.

    ``contexts`` are the tasks that may stand on the line, with their ``operands``; ``core`` are
    Invoke's own options, which may also follow a task.
    """

    def __init__(
        self,
        contexts: Mapping[str, ParserContext],
        operands: Mapping[str, Sequence[str]],
        core: Mapping[str, Argument],
    ) -> None:
        self.contexts, self.operands, self.core = contexts, operands, core
        self.task: str | None = None
        #: The operands that have no value yet, the option that waits for one, and what was given.
        self.free: list[Argument] = []
        self.option: Argument | None = None
        self.given: dict[str, str] = {}

    def read(self, word: str) -> str:
        """Take the next word; return it, or the option that it is short for.

        Raises ``ParseError`` for an option that has a value already, where Invoke would take the
        second for a task, and for one that has none, which Invoke lets pass where it is a list.
        """
        if self.option:
            if word.partition("=")[0] in self.flags():
                self.end()
            self._take(self.option, word)
            return word
        if self.begins_task(word):
            self.task, self.given = word, {}
            self.free = [self.contexts[word].args[name] for name in self.operands[word]]
            return word
        if word.startswith("-"):
            self._read_option(*word.partition("="))
            return word
        if not self.free:
            return word
        option = spelt(self.free[0])
        self._take(self.free[0], word)
        return f"{option}={word}"

    def end(self) -> None:
        """Raise ``ParseError`` where an option still waits for its value."""
        if self.option:
            raise ParseError(f"{spelt(self.option)} needs a value.")

    def begins_task(self, word: str) -> bool:
        """Tell whether this word would be a task here, not a value."""
        return word in self.contexts and (not self.free or "." in word)

    def flags(self) -> Mapping[str, Argument]:
        """Return the options that may stand next: the task's, or Invoke's before the first one."""
        return self.contexts[self.task].flags if self.task else self.core

    def _read_option(self, name: str, equals: str, value: str) -> None:
        known = self.flags()
        place = known if name in known else self.core
        if name not in place:
            return  # the parser will say so
        option = place[name]  # .get() knows no second names
        if not option.takes_value or (option.optional and not equals):
            return
        if place is known and option.name in self.given and option.kind is not list:
            raise ParseError(f"{spelt(option)} has a value already: {self.given[str(option.name)]}")
        if equals:
            self._take(option, value)
        else:
            self.option = option

    def _take(self, argument: Argument, value: str) -> None:
        """Give an operand or an option its value; a list takes more."""
        self.option = None
        self.given[str(argument.name)] = value
        if argument.kind is not list:
            self.free = [each for each in self.free if each is not argument]


def spell_out(words: Sequence[str], reader: Reader) -> Iterator[str]:
    """Yield the words with positional ones turned into options of their task.

    While a task can still take a word by its place, a bare word is its value, though a task may
    have that name too: ``db.migrate test`` migrates the app called test. Only the dotted name of a
    task, which no app can have, begins that task. Where nothing is free, a task's name begins a
    task: ``lint types`` are two, ``db.sql users 0002 test`` too. An option's value stays with its
    option, an operand that was given by its name is free no more, and a word that begins with
    ``-`` is never a value.
    """
    for word in words:
        yield reader.read(word)
    reader.end()


def spelt(argument: Argument) -> str:
    """Return an option as it is typed."""
    return f"--{str(argument.name).replace('_', '-')}"
