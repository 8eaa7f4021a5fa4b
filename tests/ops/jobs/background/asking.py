"""Somebody who goes to a page of the admin, fills in its form, and sends it: a process of its own.

``asking.py USER PATH FIELDS [TIMES]`` with fields as JSON prints what each answer was, as JSON.
"""

import html
import json
import re
import sys

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  # not before Django is set up
from django.test import Client  # noqa: E402

TOKEN = re.compile(r'name="token" value="([0-9a-f-]+)"')
SAID = re.compile(r'<p class="errornote"[^>]*>(.*?)</p>|<li class="success">(.*?)</li>', re.DOTALL)


def said(page: str) -> list[str]:
    """Return the lines of a page that tell how something came out."""
    found = (html.unescape(one or other) for one, other in SAID.findall(page))
    return [" ".join(line.split()) for line in found]


def main(user: str, path: str, fields: str, times: str = "1") -> None:
    """Ask, and send the form so many times."""
    client = Client(HTTP_HOST="localhost")
    client.force_login(get_user_model().objects.get(username=user))
    asked = client.get(f"/admin/runbook_jobs/{path}/")
    answers = [[asked.status_code, *said(asked.content.decode())]]
    token = TOKEN.search(asked.content.decode())
    sent = {**json.loads(fields), **({"token": token[1]} if token else {})}
    for _ in range(int(times)):
        done = client.post(f"/admin/runbook_jobs/{path}/", sent, follow=True)
        answers.append([done.status_code, *said(done.content.decode())])
    print(json.dumps(answers))


main(*sys.argv[1:])
