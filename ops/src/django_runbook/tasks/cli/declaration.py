"""How the kit declares a task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

from invoke import Argument, Context, Exit, Task
from invoke.main import program

from django_runbook.tasks.processes import process


class KitTask(Task[Any]):
    """An Invoke task with Django's positional words, which never drops what stands after ``--``.

    Invoke hands the same words to each of several tasks, and to a task that has no use for them it
    says nothing: both are refused here, with exit code 2.
    """

    passes_on = False
    operands: tuple[str, ...] = ()
    #: All that Invoke will call, in its order; empty where the kit's program is not there.
    calls: ClassVar[Sequence[Task[Any]]] = ()

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the options with their help, every time: Invoke takes the texts out of itself."""
        texts = dict(self.help)
        arguments: list[Argument] = super().get_arguments(ignore_unknown_help)
        self.help = texts
        return arguments

    def __deepcopy__(self, _memo: object) -> Self:
        """Return the task itself: Invoke copies every one at each start, and none ever changes."""
        return self

    def __call__(self, c: Context, *args: Any, **kwargs: Any) -> Any:
        """Run the task's body."""
        if process.typed() and not self.passes_on:
            raise Exit(f"{self.name} takes nothing after '--'.", code=2)
        if process.typed() and len(getattr(program, "tasks", ())) > 1:
            raise Exit("What stands after '--' can go to one task only.", code=2)
        before = process.may_become
        process.may_become = list(self.calls) in ([], [self])
        try:
            return super().__call__(c, *args, **kwargs)
        finally:
            process.may_become = before


def task(
    *,
    operands: tuple[str, ...] = (),
    passes_on: bool = False,
    iterable: tuple[str, ...] = (),
    help: Mapping[str, str] | None = None,  # noqa: A002  # Invoke's own word
) -> Callable[[Callable[..., None]], KitTask]:
    """Declare a task with long options only, as Django spells them.

    ``operands``: options that may also be given by their place, in this order. ``passes_on``: what
    the user types after ``--`` reaches the command unchanged. ``iterable``: options that may be
    repeated.
    """

    def declare(body: Callable[..., None]) -> KitTask:
        declared = KitTask(
            body, auto_shortflags=False, positional=(), iterable=iterable, help=dict(help or {})
        )
        declared.operands, declared.passes_on = operands, passes_on
        return declared

    return declare
