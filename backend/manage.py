#!/usr/bin/env python
"""Django's command line for this product."""

from django_runbook.manage import main

if __name__ == "__main__":
    main("project.settings")
