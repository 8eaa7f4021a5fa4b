"""The accounts in Django's admin."""

import datetime

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import Account


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    """Accounts with the end of their trial. They are opened with their user, not here."""

    list_display = ("user", "status", "created", "trial_ends")
    list_filter = ("status", "created")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    date_hierarchy = "created"
    ordering = ("-created",)
    readonly_fields = ("user", "trial_ends")

    @admin.display(description="trial ends", ordering="created")
    def trial_ends(self, account: Account) -> datetime.datetime | None:
        """Return when the trial ends or ended; nothing where there is none."""
        if account.status in (Account.TRIALING, Account.TRIAL_EXPIRED):
            return account.trial_ends_at
        return None

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: a second account for a user is what the database forbids."""
        return False
