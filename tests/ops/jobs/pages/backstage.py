"""The URLs of a project with a second admin site, which shows the jobs as well."""

from django.contrib.admin import AdminSite
from django.urls import include, path

from accounts.admin import AccountAdmin
from accounts.models import Account
from django_runbook.jobs.admin import register

SITE = AdminSite(name="backstage")
register(SITE)
register(SITE)  # what it shows already stays
SITE.register(Account, AccountAdmin)
urlpatterns = [path("backstage/", SITE.urls), path("", include("project.urls"))]
