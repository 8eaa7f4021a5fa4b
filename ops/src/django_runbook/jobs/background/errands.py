"""What is handed to a worker, as JSON can say it."""

import uuid
from dataclasses import dataclass

from django_runbook.jobs.background.backends import Backend, as_task
from django_runbook.jobs.errors import FailedError
from django_runbook.schema.secrets import shown


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A run of a job (``run_job``, its name) or an undo (``undo_run``, the number of the run).

    ``by`` is who asked for it, ``words`` are for the command. The run gets the ``token``: however
    often the errand is delivered, it is done once.
    """

    command: str
    subject: str
    by: str
    token: uuid.UUID
    words: tuple[str, ...] = ()


def hand_over(errand: Errand, to: Backend) -> str:
    """Hand an errand to the workers of a backend; return the name of its task there.

    Raises ``FailedError`` where the backend does not take it, whatever its reason.
    """
    from django_runbook.jobs.background.work import work  # it asks the settings for a backend

    function = getattr(work, "func", work)  # a task already, where there was one at its import
    try:
        task = as_task(function).using(backend=to.name, queue_name=to.queue)
        result = task.enqueue(
            command=errand.command,
            subject=errand.subject,
            by=errand.by,
            token=str(errand.token),
            words=list(errand.words),
        )
    except Exception as error:
        said = " ".join(shown(str(error)).split()) or type(error).__name__
        raise FailedError(
            f"The task backend '{to.name}' took nothing: {said}. Nothing was started."
        ) from error
    return str(result.id)
