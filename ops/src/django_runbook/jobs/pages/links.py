"""Where the pages of a site are, and the rows' own pages there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as urlquote

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

#: Names that no path can hold: browsers take them for folders, and none is between two slashes.
UNSPEAKABLE = ("", ".", "..")
#: A key like no other, to ask Django for an address.
ANY_KEY = "1234567890123456789"
#: What Django's ``reverse`` leaves as it is in a path (RFC 3986, 3.3).
SAFE = "!$&'()*+,;=/~:@"


@dataclass(frozen=True)
class Links:
    """The pages of the admin site with this name (``AdminSite.name``), and of no other."""

    site: str

    def jobs(self) -> str:
        """Return the address of the page of all jobs."""
        return self._to("job_changelist")

    def jobs_live(self) -> str:
        """Return the address of what moves on that page."""
        return self._to("job_live")

    def job(self, name: str, page: str = "job_change") -> str:
        """Return the address of a job's page; empty for a name that no address can hold."""
        return "" if name in UNSPEAKABLE else self._to(page, quote(name))

    def explain(self, name: str) -> str:
        """Return the address where a job tells the story of a row."""
        return self.job(name, "job_explain")

    def run(self, pk: int) -> str:
        """Return the address of a run's page."""
        return self._to("run_change", pk)

    def run_live(self, pk: int) -> str:
        """Return the address of what moves on that page."""
        return self._to("run_live", pk)

    def batches(self, pk: int) -> str:
        """Return the address of the rows that a run changed."""
        return self._to("run_batches", pk)

    def delete(self, pk: int) -> str:
        """Return the address where Django asks whether a run shall be removed."""
        return self._to("run_delete", pk)

    def runs(self) -> str:
        """Return the address of Django's own list of all runs."""
        return self._to("run_changelist")

    def _to(self, page: str, *args: Any) -> str:
        return reverse(f"admin:runbook_jobs_{page}", args=args, current_app=self.site)


@dataclass(frozen=True)
class Rows:
    """What a user may see of the rows of a model: their values, and their pages on a site."""

    seen: bool
    address: Callable[[Any], str]


def rows_of(site: AdminSite, request: HttpRequest, label: str) -> Rows:
    """Return what may be seen of the rows of the model with this label, and where.

    A proxy's rows have the page of the model that it stands for, where it has none itself.
    """
    try:
        model: Any = apps.get_model(label)
    except (LookupError, ValueError):
        return Rows(seen=False, address=_nowhere)
    for each in (model, model._meta.concrete_model):
        if site.is_registered(each):
            if site.get_model_admin(each).has_view_or_change_permission(request):
                return Rows(seen=True, address=_pages(site, each))
            return Rows(seen=False, address=_nowhere)
    return Rows(seen=may_view(request, model), address=_nowhere)


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Tell whether a user may see the rows of a model, as Django's admin asks it."""
    meta = model._meta
    names = (f"{meta.app_label}.{act}_{meta.model_name}" for act in ("view", "change"))
    return any(request.user.has_perm(name) for name in names)


def _pages(site: AdminSite, model: type[Model]) -> Callable[[Any], str]:
    """Return what says where a row's page is; asking Django for each of a thousand is slow."""
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    try:
        begin, _key, end = reverse(page, args=[ANY_KEY], current_app=site.name).partition(ANY_KEY)
    except NoReverseMatch:  # an admin class may have other addresses
        return _nowhere

    def address(key: Any) -> str:
        if not isinstance(key, int | str) or key in UNSPEAKABLE:
            return ""
        return f"{begin}{urlquote(quote(str(key)), safe=SAFE)}{end}"

    return address


def _nowhere(_key: Any) -> str:
    return ""
