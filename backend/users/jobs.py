"""The jobs of the users, for the ledger."""

from django_runbook.jobs import Transition, register
from users.selectors import full_name_of_user, nameless_profiles

FILL_DISPLAY_NAMES = register(
    Transition(
        job="fill_display_names",
        due=lambda _cutoff: nameless_profiles(),
        was={"display_name": ""},
        to={"display_name": full_name_of_user()},
    )
)
