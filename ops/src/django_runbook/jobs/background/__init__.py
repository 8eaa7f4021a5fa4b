"""Hands work to the workers that a project has, through Django's tasks framework."""
