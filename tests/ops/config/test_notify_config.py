"""`[tool.django-runbook.notify]`: what it may say, and what the message is where it is wrong."""

import pytest

from django_runbook.config import ConfigError, Notify
from django_runbook.config.notify import read_notify

TABLE = "tool.django-runbook.notify"
ADDRESSES = 'a list of addresses, as in ["ops@example.org"].'


def test_whole_table(written):
    """Each key, as it is written; a list can no more be changed."""
    table = 'mail = ["ops@example.org", "a.b+c@x.example"]\nwebhook = "OPS_WEBHOOK_URL"\n'
    config = written(
        f'[tool.django-runbook]\nmanage = "manage.py"\n[tool.django-runbook.notify]\n{table}'
    )
    assert config.notify == Notify(
        mail=("ops@example.org", "a.b+c@x.example"), webhook="OPS_WEBHOOK_URL"
    )


def test_nobody_is_told_by_default(written):
    """Without the table, and with an empty one."""
    assert written('[tool.django-runbook]\nmanage = "manage.py"\n').notify == Notify()
    assert (Notify().mail, Notify().webhook) == ((), None)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mail", "ops@example.org", f"mail = 'ops@example.org' is not {ADDRESSES}"),
        ("mail", ["ops"], f"mail = ['ops'] is not {ADDRESSES}"),
        ("mail", ["Ops <ops@example.org>"], f"mail = ['Ops <ops@example.org>'] is not {ADDRESSES}"),
        ("mail", ["a@b\n"], f"mail = ['a@b\\n'] is not {ADDRESSES}"),
        ("mail", [7], f"mail = [7] is not {ADDRESSES}"),
        (
            "webhook",
            "https://hooks.example/hush",
            (
                "webhook is an address, which is a secret: keep it in an environment variable, "
                'as in "OPS_WEBHOOK_URL", and name that.'
            ),
        ),
        (
            "webhook",
            "hook",
            (
                "webhook = 'hook' is not the name of an environment variable, as in "
                '"OPS_WEBHOOK_URL".'
            ),
        ),
        ("webhooks", "HOOK", "webhooks is not a known key; nearest: webhook."),
    ],
)
def test_bad_table_is_one_line(tmp_path, key, value, message):
    """File, key, value and what is allowed; an address that is a secret is not repeated."""
    with pytest.raises(ConfigError) as error:
        read_notify(tmp_path, {key: value})
    assert str(error.value) == f"{tmp_path}: {TABLE}.{message}"
    assert "hush" not in str(error.value)
