"""URLs of the jobs for monitors: ``path("ops/jobs/", include("django_runbook.jobs.urls"))``."""

from django.urls import path

from django_runbook.jobs.views import status

app_name = "runbook_jobs"
urlpatterns = [path("status", status, name="status")]
