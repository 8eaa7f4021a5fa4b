"""A transition that rests after each batch, for long enough to be stopped or killed."""

from django.contrib.auth import get_user_model

from django_runbook.jobs import Transition, register

REST_SECONDS = 1.0

GREET_SLOWLY = register(
    Transition(
        job="greet_slowly",
        due=lambda _cutoff: get_user_model().objects.filter(first_name=""),
        was={"first_name": ""},
        to={"first_name": "Ada"},
        throttle=lambda: REST_SECONDS,
    )
)
