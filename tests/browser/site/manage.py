"""The command line of the site that the browser tests look at."""

from django_runbook.manage import main

if __name__ == "__main__":
    main("tests.browser.site.settings")
