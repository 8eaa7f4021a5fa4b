"""The secrets that Django's settings hold, for the filter through which text leaves the process."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from django_runbook.text.cleaning import clean
from django_runbook.text.masking import is_named_secret, mask, of_environment, passwords_in


def masked(text: str) -> str:
    """Return a text without the secrets of the settings and of the environment."""
    return mask(text, {*of_environment(os.environ), *of_settings()})


def shown(text: str) -> str:
    """Return a text as it may be shown: without secrets, and cleaned."""
    return clean(masked(text))


def of_settings() -> frozenset[str]:
    """Return the keys and passwords in the settings; none before they are loaded."""
    if not settings.configured:
        return frozenset()
    found = set(map(str, settings.SECRET_KEY_FALLBACKS))
    behind = vars(settings)["_wrapped"]  # which warns of no old name, nor of an empty SECRET_KEY
    for name in filter(str.isupper, dir(settings)):
        value = getattr(behind, name, None)
        if isinstance(value, Mapping):  # DATABASES, CACHES, MAILERS
            found |= set(_inside(value))
        elif isinstance(value, str) and is_named_secret(name):
            found.add(value)
    return frozenset(found)


def _inside(values: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what a setting names a password, at any depth, and those in addresses."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _inside(value)
        elif isinstance(value, str):
            if is_named_secret(str(name)):
                yield value
            yield from passwords_in(value)
