"""Who runs a job: a person on a machine, or a run of a CI service."""

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from django_runbook.text.cleaning import cut, one_line

#: Who asked for what this process does, where that is not its own user: somebody in the admin.
BY = "RUNBOOK_BY"
ADMIN = "in the admin"
LONGEST = 150  # characters of a name, as the ledger keeps it


@dataclass(frozen=True, kw_only=True)
class Who:
    """A user, a machine, a process, and the address of the CI run where there is one.

    ``through`` says where the user asked, where that is no terminal: ``in the admin``.
    """

    user: str = ""
    host: str = ""
    pid: int = 0
    ci_url: str = ""
    through: str = ""

    @classmethod
    def here(cls) -> Self:
        """Return who runs this process, or in whose name it was started."""
        if by := cut(one_line(os.environ.get(BY, "")), LONGEST):
            return cls(user=by, host=socket.gethostname(), pid=os.getpid(), through=ADMIN)
        return cls(
            user=_user(), host=socket.gethostname(), pid=os.getpid(), ci_url=ci_url(os.environ)
        )


def ci_url(env: Mapping[str, str]) -> str:
    """Return the address of the CI run from its own variables: GitHub's, GitLab's, Jenkins'."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, number = (env.get(name, "") for name in names)
    if server and repository and number:
        attempt = env.get("GITHUB_RUN_ATTEMPT", "1")
        return f"{server}/{repository}/actions/runs/{number}/attempts/{attempt}"
    return env.get("CI_JOB_URL") or env.get("BUILD_URL", "")


def _user() -> str:
    """Return the user's name; a container may have none for its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
