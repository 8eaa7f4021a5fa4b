"""`USE_TZ = False`: refused in one line, before anything is asked of the database."""

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError
from django.test import override_settings

from django_runbook.jobs import JobCommand
from tests.ops.jobs.shops import shop_fixture

pytestmark = pytest.mark.slow

__all__ = ["shop_fixture"]
WHAT = "USE_TZ is False, and the jobs need times with a zone"
MEND = "Set USE_TZ = True; Django's documentation says how ('Time zones', migration guide)."
OWN = sorted(
    name for name, app in get_commands().items() if app in {"django_runbook.jobs", "accounts"}
)


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("name", OWN)
def test_each_command_of_the_jobs_refuses(name):
    """Those of the kit, and those that a product bases on them."""
    command = load_command_class(get_commands()[name], name)
    ours = get_commands()[name] == "django_runbook.jobs" or isinstance(command, JobCommand)
    if not ours:
        return
    with override_settings(USE_TZ=False), pytest.raises(CommandError) as refused:
        command.execute()
    assert (str(refused.value), refused.value.returncode) == (
        f"Refused: {WHAT}; nothing was changed. {MEND}",
        3,
    )


@pytest.mark.engines("sqlite", "postgresql")
def test_project_without_zones_is_told(shop):
    """Its commands in one line, `manage.py check` and `inv doctor` as well."""
    with (shop.root / "shop_settings.py").open("a") as settings:
        settings.write("USE_TZ = False\n")
    refused = (3, "", f"CommandError: Refused: {WHAT}; nothing was changed. {MEND}\n")
    for argv in (("run_job", "send_bills"), ("expire_trials",), ("list_jobs",)):
        done = shop.manage(*argv)
        assert (done.code, done.out, done.err) == refused, argv
    check = shop.manage("check")
    assert (check.code, f"(runbook_jobs.E001) {WHAT}.\n\tHINT: {MEND}" in check.err) == (1, True)
    doctor = shop.inv("doctor")
    line = f"WRONG  checks      {WHAT}. (runbook_jobs.E001)  ->  {MEND}"
    assert (doctor.code, line in doctor.out.splitlines()) == (1, True)
    assert shop.calls() == []
