"""URLs of the product: the admin, and the state of the jobs for monitors."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("ops/jobs/", include("django_runbook.jobs.urls")),
]
