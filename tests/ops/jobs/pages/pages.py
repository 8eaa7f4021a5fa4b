"""What the tests of the pages share: who looks, and a page as a reader and a policy see it."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from users.models import User

SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
UNSEEN = {"script", "style", "title", "svg"}


@dataclass
class Page(HTMLParser):
    """The main part of a page: its text, its links, and what a policy of ``'self'`` forbids."""

    source: str
    text: str = ""
    links: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.main = self.source.partition('<div id="content"')[2].partition("</main>")[0]
        self.feed(self.source)
        self.close()
        reader = _Reader()
        reader.feed(f'<div id="content"{self.main}')
        self.text = " ".join("".join(reader.parts).split())
        self.links = reader.links

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Note what is inline."""
        given = dict(attrs)
        self.tags.append(tag)
        if "style" in given or tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(self.get_starttag_text() or tag)
        self.inline += [name for name in given if name.startswith("on")]

    @property
    def svgs(self) -> list[ET.Element]:
        """The drawings, each of which must be XML."""
        return [ET.fromstring(found) for found in SVG.findall(self.main)]


class _Reader(HTMLParser):
    """Reads what a person sees."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.links: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._unseen += tag in UNSEEN
        self.parts.append(" " if tag in {"li", "dd", "dt", "td", "th", "p", "h2", "option"} else "")
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in UNSEEN

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


def person(*permissions: str, name: str = "ada") -> Client:
    """Return the browser of one of the staff who has these permissions and no others."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return logged_in(user)


def superuser() -> Client:
    """Return the browser of somebody who may do all."""
    return logged_in(User.objects.create_superuser("root"))


def logged_in(user: User) -> Client:
    """Return the browser of a user."""
    browser = Client()
    browser.force_login(user)
    return browser


def seen(browser: Client, path: str, status: int = 200) -> Page:
    """Return a page of the admin, which has nothing inline and draws in XML."""
    answer = browser.get(path if path.startswith("/") else f"/admin/runbook_jobs/{path}")
    assert answer.status_code == status, (answer.status_code, answer.content[:500])
    page = Page(answer.content.decode())
    assert page.inline == []
    assert all(svg.tag == "svg" for svg in page.svgs)
    return page
