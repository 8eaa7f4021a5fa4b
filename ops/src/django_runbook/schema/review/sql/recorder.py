"""Writes down what a schema editor executes, with the same text at each run."""

from collections.abc import Sequence
from datetime import date, time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

if TYPE_CHECKING:
    from django.db.models import Field

VARIES = "<varies>"
#: A value that is the same so many times is taken for a fixed one.
TRIES = 4


class Recorder:
    """Stands between a schema editor and its database.

    A default that differs from call to call, and one that the clock gives, is shown as
    ``<varies>``. A value that a migration's file computes when it is imported looks like a fixed
    one.
    """

    def __init__(self, editor: BaseDatabaseSchemaEditor) -> None:
        self.texts: list[str] = []
        self._editor = editor
        self._execute = editor.execute
        self._effective_default = editor.effective_default
        self._prepare_default = editor.prepare_default
        self._literal = True
        self._varying: list[Any] = []
        self._tokens: dict[str, str] = {}
        editor.execute = self.execute  # type: ignore[method-assign]  # of this one alone
        editor.effective_default = self.effective_default  # type: ignore[method-assign]  # as above
        editor.prepare_default = self.prepare_default  # type: ignore[method-assign]  # as above

    def begin(self, texts: list[str], *, literal: bool) -> None:
        """Write into ``texts`` from now on; without ``literal``, parameters are not filled in."""
        self.texts, self._literal, self._varying = texts, literal, []

    def execute(self, sql: Any, params: Sequence[Any] | None = ()) -> None:
        """Write a statement down, and execute it."""
        text = str(sql)
        fixed, real = text, text
        for token, value in self._tokens.items():
            fixed, real = fixed.replace(token, f"'{VARIES}'"), real.replace(token, value)
        given = params and [VARIES if self._varies(value) else value for value in params]
        self.texts.append(self._filled(fixed, given) if self._literal else _ended(fixed))
        self._execute(sql if real == text else real, params)

    def effective_default(self, field: "Field[Any, Any]") -> Any:
        """Return what the editor returns, and remember it where another call gives another."""
        value = self._effective_default(field)
        if value is not None and (_by_the_clock(field) or self._differs(field, value)):
            self._varying.append(value)
        return value

    def prepare_default(self, value: Any) -> str:
        """Return what the editor returns; for a value that varies, a token that stands for it."""
        text: str = self._prepare_default(value)
        if not self._varies(value):
            return text
        token = f"'{uuid4().hex}'"
        self._tokens[token] = text
        return token

    def _differs(self, field: "Field[Any, Any]", value: Any) -> bool:
        if not callable(getattr(field, "default", None)):
            return False
        first = self._quoted(value)
        return any(self._quoted(self._effective_default(field)) != first for _ in range(TRIES))

    def _quoted(self, value: Any) -> Any:
        try:
            return self._editor.quote_value(value)
        except ValueError:
            return value

    def _varies(self, value: Any) -> bool:
        return any(value is one for one in self._varying)

    def _filled(self, sql: str, params: Sequence[Any] | None) -> str:
        """Return a statement as ``sqlmigrate`` prints it, by the editor's own means."""
        self._editor.collect_sql, self._editor.collected_sql = True, []
        try:
            self._execute(sql, params)
            return str(self._editor.collected_sql[-1])
        finally:
            self._editor.collect_sql = False


def _by_the_clock(field: "Field[Any, Any]") -> bool:
    if not field.has_default():
        return bool(getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False))
    return callable(field.default) and isinstance(field.get_default(), (date, time))


def _ended(sql: str) -> str:
    return sql if sql.rstrip().endswith(";") else f"{sql};"
