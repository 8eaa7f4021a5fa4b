"""One filter for secrets: whatever the password and the shape that it stands in, it is gone."""

import base64
import json
import shlex
import time
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from django_runbook.text.masking import MASK, mask, of_environment

#: What a password may be made of where nothing quotes it, and where something does.
BARE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=8)
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8)
SHAPES = {
    "a URL": lambda it: f"could not connect to postgresql://app:{it}@db.example:5432/app now",
    "a URL without a user": lambda it: f"redis://:{it}@cache/0",
    "a URL of a user with an @": lambda it: f"postgresql://app@server:{it}@db.example/app",
    "a quoted URL": lambda it: f"mysql://app:{quote(it, safe='')}@db.example/app",
    "password=": lambda it: f"host=db password={it} dbname=app",
    "PGPASSWORD=": lambda it: f"env PGPASSWORD={it} psql",
    "token=": lambda it: f"GET /hook?token={it} 401",
    "--api-token=": lambda it: f"run --api-token={it} now",
    "an assignment": lambda it: f"AWS_SECRET_ACCESS_KEY = {it}",
    "a line of YAML": lambda it: f"password: {it}",
    "a header": lambda it: f"X-Api-Key: {it}",
    "Authorization": lambda it: f"> Authorization: {it}",
    "a bearer": lambda it: f"curl -H 'Authorization: Bearer {it}",
}
QUOTED = {
    "conninfo": lambda it: "password='" + it.replace("\\", "\\\\").replace("'", "\\'") + "' port=5",
    "a shell": lambda it: f"PGPASSWORD={shlex.quote(it)} psql",
    "JSON": lambda it: json.dumps({"user": "app", "password": it, "port": 5}),
    "JSON of a key": lambda it: json.dumps({"api_key": it}, ensure_ascii=False),
    "a dict": lambda it: repr({"USER": "app", "PASSWORD": it}),
    "an argument": lambda it: f"connect(password={it!r}, port=5)",
    "SQL": lambda it: "ALTER ROLE app PASSWORD '" + it.replace("'", "''") + "';",
    "SQL of MySQL": lambda it: "CREATE USER a IDENTIFIED BY '" + it.replace("'", "''") + "'",
    "basic": lambda it: "Authorization: Basic " + base64.b64encode(it.encode()).decode(),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@given(password=BARE)
def test_no_password_is_left_in_a_shape(shape, password):
    """Whatever it is made of, / and @ and quotes too."""
    _gone(SHAPES[shape], password, password)


@pytest.mark.parametrize("shape", QUOTED)
@given(password=ANY)
def test_no_password_is_left_in_quotes(shape, password):
    """Spaces, line breaks, quotes and backslashes end nothing too early."""
    _gone(QUOTED[shape], password, password)
    text = QUOTED[shape](password)
    escaped = json.dumps(password)[1:-1]
    if escaped in text:
        _gone(QUOTED[shape], password, escaped)


@given(password=ANY, before=st.text(), after=st.text())
def test_no_secret_of_the_process_is_left(password, before, after):
    """The value of a variable that is named so is gone, wherever it stands and however escaped."""
    assume(len(password.strip()) >= 8)
    secrets = of_environment({"SIGNING_KEY": password})
    bare = not (password.isalpha() and password.islower())
    for form in (password, repr(password)[1:-1], json.dumps(password)[1:-1], quote(password, "")):
        edge = "" if bare else " "
        shown = mask(f"{before}{edge}{form}{edge}{after}", secrets)
        assert MASK in shown
        assert form.strip() not in shown.replace(MASK, " ") or form in before + after


@pytest.mark.parametrize(
    ("env", "secrets"),
    [
        ({"SECRET_KEY": "hunter22", "PWD": "/home/hunter", "OLDPWD": "/home"}, {"hunter22"}),
        ({"PGPASSWORD": "hunter22", "PGPASSFILE": "/etc/pgpass"}, {"hunter22"}),
        ({"GITHUB_TOKEN": "ghs_1", "MYSQL_PWD": "x y z 1", "MONKEY": "no"}, None),
        ({"DATABASE_URL": "postgres://a:hun%2Fter@h/d"}, {"hun%2Fter", "hun/ter"}),
        ({"BROKER": "amqp://a:p/@w0rd@h/d", "HOME": "/root"}, {"p/@w0rd"}),
        ({"TOKEN_FILE": "/run/token", "SSH_KEY_PATH": "/root/.ssh/id"}, set()),
    ],
)
def test_secrets_of_an_environment(env, secrets):
    """A variable is secret by its name, a password in an address by its place; a folder is not."""
    expected = {"ghs_1", "x y z 1", "no"} if secrets is None else secrets
    assert of_environment(env) == expected


def test_short_values_and_parts_of_words_stay():
    """What is short is no secret; a plain word is masked as a word, not in another."""
    secrets = {"dev", "postgres", "S3cretive"}
    text = "dev: postgres at postgresql://h/postgres_db, xS3cretivex"
    assert mask(text, secrets) == "dev: *** at postgresql://h/***_db, x***x"


@pytest.mark.parametrize(
    "text",
    [
        "Applied users.0003_profile in 0.02 s",
        "https://example.com:8080/a/b?c=d and git@github.com:a/b.git",
        "http://localhost:8000/ mail a@b.example",
        'password authentication failed for user "app"',
        "id = models.AutoField(primary_key=True), foreign_key=x, keys=3",
        "SECRET_KEY is not set: './inv db.migrate' makes a .env for development",
        "The token was refused; a secret is needed. --password is an option",
        "if password == other: return token",
        "Run 7 of expire_trials: succeeded, 3 row(s)  ->  inv jobs.show 7",
        '{"run": 7, "tokens": 12, "monkey": "x"}',
    ],
)
def test_what_is_harmless_is_unchanged(text):
    """What names no secret is shown as it is."""
    assert mask(text, {"hunter22"}) == text


@given(text=st.text(st.characters(exclude_characters="=:'\"@"), max_size=200))
def test_text_without_a_shape_is_unchanged(text):
    """Where nothing is assigned, nothing is taken away."""
    assume(" " not in text or "authorization" not in text.lower())
    assert mask(text) == text


@given(text=st.text(max_size=300), secret=ANY)
def test_masking_twice_is_masking_once(text, secret):
    """What was masked on its way in may be masked on its way out."""
    once = mask(text, {secret})
    assert mask(once, {secret}) == once


@pytest.mark.parametrize("piece", ["a", "password", '"', "://", "://a:", "password='", "::", "\\"])
def test_long_text_takes_no_time(piece):
    """No text makes the expressions go back and forth."""
    start = time.perf_counter()
    mask(piece * (20_000 // len(piece)), {"hunter22"})
    assert time.perf_counter() - start < 2


def _gone(shape, password, written):
    """Assert that nothing of a password is shown that the shape does not hold without it."""
    assume(written not in shape("************"))
    shown = mask(shape(password))
    assert MASK in shown
    assert written not in shown
