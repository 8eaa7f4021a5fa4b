"""What a look says of a run to come, beside the rows."""

from collections.abc import Iterator

from django_runbook.jobs.batches.preview import Preview


def preview_notes(seen: Preview) -> Iterator[str]:
    """Yield why there are no examples, and which limit a run exceeds or is not held to."""
    if seen.unseen:
        yield f"Nothing to show: {seen.unseen}."
    if seen.limit:
        yield f"A run would be refused: {seen.limit}"
    if seen.note:
        yield f"A run would be {seen.note}"
