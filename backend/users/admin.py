"""The users in Django's admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin

from users.models import Profile, User


class ProfileInline(admin.StackedInline):
    """The profile on the page of its user."""

    model = Profile


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Django's own page, with the profile; search and filters come with it."""

    inlines = (ProfileInline,)
    list_display = ("username", "email", "first_name", "last_name", "date_joined", "is_staff")
    list_filter = (*DjangoUserAdmin.list_filter, "date_joined")
