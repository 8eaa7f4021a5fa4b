"""The job: it rests between its batches, and takes a while for each row."""

import time
from collections.abc import Sequence

from django_runbook.jobs import Transition, register
from users.models import Profile
from users.selectors import nameless_profiles

ROW_SECONDS = 0.001
REST_SECONDS = 0.4


def fill(profiles: Sequence[Profile]) -> None:
    """Name each by its number."""
    time.sleep(ROW_SECONDS * len(profiles))
    for profile in profiles:
        profile.display_name = f"Number {profile.pk}"


FILL_SLOWLY = register(
    Transition(
        job="fill_slowly",
        due=lambda _cutoff: nameless_profiles(),
        was={"display_name": ""},
        fill=fill,
        fields=("display_name",),
        throttle=lambda: REST_SECONDS,
    )
)
