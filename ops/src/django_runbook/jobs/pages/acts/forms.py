"""What is typed for an act, and read as on a terminal."""

import datetime
import uuid
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget

from django_runbook.text.numbers import MOST

LONGEST = 1_000  # characters of a reason


def _reason(*, required: bool, label: str = "Reason") -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=LONGEST,
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Why; it is kept in the ledger.",
    )


class ConfirmForm(forms.Form):
    """An act that is done once, by its token, and for which a database's name may be typed."""

    token = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=AdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, protected: str = "", why: str = "", **kwargs: Any) -> None:
        """Ask for the name of a ``protected`` target, and say why it is one."""
        super().__init__(*args, **kwargs)
        self.initial["token"] = uuid.uuid4()
        if protected:
            self.fields["name"].label = f"Type {protected} to go on"
            self.fields["name"].help_text = f"This is a protected target ({why})."
        else:
            del self.fields["name"]

    @property
    def typed(self) -> str:
        """The name as it was typed; the empty text where none was asked for."""
        return str(self.cleaned_data.get("name", ""))

    @property
    def words(self) -> tuple[str, ...]:
        """What the command is given beside its subject."""
        return ()


class AllowedForm(ConfirmForm):
    """A run of a transition, which the limits may refuse."""

    field_order = ("allow", "reason", "name")
    allow = forms.IntegerField(
        label="Let a run pass that the limits refuse, of at most so many rows",
        required=False,
        min_value=0,
        max_value=MOST,
        help_text="With a reason.",
    )
    reason = _reason(required=False)

    def clean(self) -> dict[str, Any]:
        """Want both of them, or none."""
        found = super().clean() or {}
        whole = "allow" not in self.errors and "reason" not in self.errors
        if whole and (found.get("allow") is None) != (not found.get("reason")):
            raise forms.ValidationError("The number of rows and the reason go together.")
        return found

    @property
    def words(self) -> tuple[str, ...]:
        """What the command is given beside its subject."""
        allow, reason = self.cleaned_data.get("allow"), self.cleaned_data.get("reason")
        return () if allow is None else (f"--allow={allow}", f"--reason={reason}")


class StopForm(forms.Form):
    """Why a run should end."""

    reason = _reason(required=False, label="Reason (may be empty)")


class PauseForm(forms.Form):
    """Until when a job is paused, and why."""

    until = forms.DateTimeField(
        required=False,
        label="Until (may be empty)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    reason = _reason(required=True)

    def __init__(self, *args: Any, now: datetime.datetime, zone: str, **kwargs: Any) -> None:
        """Read times in a ``zone``; ``now`` is aware."""
        super().__init__(*args, **kwargs)
        self._now = now
        self.fields["until"].help_text = f"In the zone {zone}. Empty: until somebody resumes it."

    def clean_until(self) -> datetime.datetime | None:
        """Return when it ends (aware), which is to come."""
        until: datetime.datetime | None = self.cleaned_data["until"]
        if until is None:
            return None
        until = until.astimezone(datetime.UTC)
        if until <= self._now:
            raise forms.ValidationError(f"{until:%Y-%m-%dT%H:%MZ} is over.")
        return until
