"""Takes secrets out of text: those that this process knows, and what has the shape of one.

Rather a word too many is masked than a password too few.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

MASK = "***"
#: A value that is shorter is no secret, or stands in every second line.
SHORTEST = 6
#: A word of letters up to this length is masked as a word alone: "postgres", not in "postgresql".
PLAIN = 12
NAMED = re.compile(r"(?i)key|token|secret|passw(?:or)?d|passphrase|pwd|credential")
#: What is named so and holds a place: the shell's folders, files with secrets in them.
PLACES = re.compile(r"(?i)(?:old)?pwd|sslkey|.*_(?:file|path|dir|sock|url|uri)")
#: From the user's name to the last @ of the word: a password may hold / and @.
IN_URL = re.compile(r"(?<=://)([^ \t\r\n\f\v:/]*):[^ \t\r\n\f\v]*@")
QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
WORD = rf"(?:{QUOTED}|[^ \t\r\n\f\v])+"
CALLED = r"passw(?:or)?d|passphrase|pwd"
SECRET = rf"{CALLED}|token|secret|(?:api|access|private|signing|encryption)[_-]?key"
OPTION = re.compile(r"(?is)(--[\w-]*(?:token|secret|password|passwd)[\w-]*)(=.*)?")
SHAPES = (
    # password=..., PGPASSWORD=..., --token=..., SECRET_KEY = '...'
    re.compile(rf"(?is)((?:{SECRET})[\w.-]{{0,40}}[\"']?[ \t]*=(?!=[ \t])[ \t]*){WORD}"),
    # "password": "...", and of a dict of Python
    re.compile(
        rf"(?is)((?:{SECRET})[\w.-]{{0,40}}[\"'][ \t]*:[ \t]*)"
        rf"(?:{QUOTED}|[^\s,}}\]]{{{SHORTEST},}})"
    ),
    # password: ..., X-Api-Key: ...
    re.compile(rf"(?i)((?:{CALLED}|api-key):[ \t]+){WORD}"),
    # ALTER ROLE app PASSWORD '...', IDENTIFIED BY '...'
    re.compile(rf"(?is)((?:{CALLED}|identified[ \t]+by)[ \t]+)(?:'(?:[^']|'')*')"),
    # Authorization: Bearer ...
    re.compile(
        r"(?i)(authorization[\"']?[ \t]*[:=][ \t]*[\"']?"
        rf"(?:(?:basic|bearer|token|digest|negotiate|apikey)[ \t]+)?){WORD}"
    ),
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without these secrets, and without what has the shape of one."""
    if known := _pattern(frozenset(secrets)):
        text = known.sub(MASK, text)
    text = IN_URL.sub(rf"\1:{MASK}@", text)
    for shape in SHAPES:
        text = shape.sub(rf"\g<1>{MASK}", text)
    return text


def masked(text: str) -> str:
    """Return a text without the secrets of this process's environment, and such shapes."""
    return mask(text, of_environment(os.environ))


def mask_words(words: Iterable[str], of_text: Callable[[str], str]) -> Iterator[str]:
    """Yield the words of a command line without their secrets, a word for each.

    By their shape, as ``of_text`` knows them; behind ``=``; and the word behind ``--password``.
    """
    hide = False
    for word in words:
        option = OPTION.fullmatch(word)
        if hide and not word.startswith("-"):
            yield MASK
        elif option and option[2]:
            yield f"{option[1]}={MASK}"
        else:
            yield of_text(word)
        hide = bool(option and not option[2])


def of_environment(env: Mapping[str, str]) -> frozenset[str]:
    """Return the secrets in an environment: by a variable's name, and passwords in its URL."""
    return frozenset(found for name, value in env.items() for found in _of_variable(name, value))


def is_named_secret(name: str) -> bool:
    """Tell whether what is called so is a secret."""
    return bool(NAMED.search(name)) and not PLACES.fullmatch(name)


def passwords_in(text: str) -> Iterator[str]:
    """Yield the passwords of URLs, as they stand there and as they are meant."""
    for found in IN_URL.finditer(text):
        password = found[0].partition(":")[2].removesuffix("@")
        yield password
        if "%" in password:
            from urllib.parse import unquote  # here, because tasks start without it

            yield unquote(password)


def _of_variable(name: str, value: str) -> Iterator[str]:
    if is_named_secret(name):
        yield value
    if "://" in value:
        yield from passwords_in(value)


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds these values, the longest first; None where none is long enough."""
    forms = {
        form
        for secret in secrets
        for part in (secret, *secret.splitlines())
        if len(part.strip()) >= SHORTEST
        for form in _forms(part.strip())
    }
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(_found, longest_first))) if forms else None


def _forms(secret: str) -> Iterator[str]:
    """Yield how a value is written: as it is, in Python and JSON, in a URL."""
    yield secret
    if not re.fullmatch(r"[\w.-]*", secret, re.ASCII):
        from json import dumps  # here, because tasks start without them
        from urllib.parse import quote

        yield from (repr(secret)[1:-1], dumps(secret)[1:-1], " ".join(secret.split()))
        yield from (quote(secret, "", errors="replace"), quote(secret, errors="replace"))


def _found(form: str) -> str:
    """Return the expression for a value; a plain short word only stands for itself."""
    if form.isalpha() and form.islower() and len(form) <= PLAIN:
        return rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])"
    return re.escape(form)
