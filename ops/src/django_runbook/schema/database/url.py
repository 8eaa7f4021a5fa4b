"""Reads the address of a database, as environment variables hold it."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ENGINES = {
    "mariadb": "django.db.backends.mysql",
    "mysql": "django.db.backends.mysql",
    "postgis": "django.contrib.gis.db.backends.postgis",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "spatialite": "django.contrib.gis.db.backends.spatialite",
    "sqlite": "django.db.backends.sqlite3",
    "sqlite3": "django.db.backends.sqlite3",
}
PLACE = re.compile(r"(?P<host>\[[^]]*\]|[^:]*)(:(?P<port>\d*))?")


def settings_of(url: str) -> dict[str, Any]:
    """Return Django's settings for ``scheme://user:password@host:port/name?option=value``.

    Parts may be percent-encoded, as ``%2Fsocket`` for a folder. ``?host=`` and ``?port=``, libpq's
    own words, become HOST and PORT; what else stands there becomes OPTIONS, digits as a number. An
    SQLite path is what stands behind ``sqlite:///``.

    Raises ``ValueError``, which never repeats the URL, for one that names no database.
    """
    parts = urlsplit(url)
    engine = ENGINES.get(parts.scheme)
    name = unquote(parts.path.removeprefix("/"))
    owner, _, place = parts.netloc.rpartition("@")
    found = PLACE.fullmatch(place)
    if engine is None or not name or found is None:
        raise ValueError("it is not scheme://user:password@host:port/name")
    user, _, password = owner.partition(":")
    options = {
        key: int(value) if value.isdecimal() else value for key, value in parse_qsl(parts.query)
    }
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": unquote(user),
        "PASSWORD": unquote(password),
        "HOST": str(options.pop("host", unquote(found["host"]).strip("[]"))),
        "PORT": str(options.pop("port", found["port"] or "")),
        "OPTIONS": options,
    }
