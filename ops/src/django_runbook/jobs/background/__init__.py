"""Hands runs and undos to the project's own workers, by Django's tasks framework."""

from django_runbook.jobs.background.backends import Backend, backend
from django_runbook.jobs.background.errands import Errand, hand_over

__all__ = ["Backend", "Errand", "backend", "hand_over"]
