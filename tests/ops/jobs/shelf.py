"""Models of tests alone, of many kinds of fields, and jobs that are registered for one test."""

import datetime
import decimal
import uuid
from typing import Any

from django.db import connection, models
from django.test.utils import isolate_apps

from django_runbook.jobs import registry
from django_runbook.jobs.batches.run_transition import Outcome, run_transition
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.registry import Transition

NOW = datetime.datetime(2026, 3, 1, 4, 17, tzinfo=datetime.UTC)

with isolate_apps("users"):

    class Maker(models.Model):
        """Who makes items."""

        founded = models.DateTimeField(null=True)

        class Meta:
            app_label = "users"

        def __str__(self) -> str:
            return str(self.pk)

    class Item(models.Model):
        """Something with a field of each kind."""

        name = models.CharField(max_length=20, default="")
        price = models.DecimalField(max_digits=9, decimal_places=2, default=0)
        sold = models.IntegerField(default=0)
        made = models.DateField(null=True)
        at = models.DateTimeField(null=True)
        daily = models.TimeField(null=True)
        took = models.DurationField(null=True)
        ratio = models.FloatField(null=True)
        flag = models.BooleanField(null=True)
        code = models.UUIDField(null=True)
        note = models.JSONField(null=True)
        data = models.BinaryField(null=True)
        file = models.FileField(null=True)
        address = models.GenericIPAddressField(null=True)
        text = models.TextField(null=True)  # noqa: DJ001  # of each kind, one that can be NULL
        maker = models.ForeignKey(Maker, models.CASCADE, null=True)
        doubled = models.GeneratedField(
            expression=models.F("sold") * 2, output_field=models.IntegerField(), db_persist=True
        )

        class Meta:
            app_label = "users"

        def __str__(self) -> str:
            return str(self.pk)

    class Tag(models.Model):
        """Something whose key is no number."""

        id = models.UUIDField(primary_key=True, default=uuid.uuid4)
        name = models.CharField(max_length=20, default="")
        items = models.ManyToManyField(Item)

        class Meta:
            app_label = "users"

        def __str__(self) -> str:
            return str(self.pk)


MODELS = (Maker, Item, Tag)
DOLLAR = decimal.Decimal("1.10")


def build() -> None:
    """Create the tables: in the transaction of the test, where SQLite would check too much."""
    for model in MODELS:
        editor = connection.schema_editor(collect_sql=True)
        editor.deferred_sql = []
        editor.create_model(model)
        statements = [*editor.collected_sql, *map(str, editor.deferred_sql)]
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def clear() -> None:
    """Drop them, where the test had no transaction."""
    through = Tag.items.through._meta.db_table
    with connection.cursor() as cursor:
        for table in (through, *(model._meta.db_table for model in reversed(MODELS))):
            cursor.execute(f"DROP TABLE {table}")


def job(name: str = "tidy", **values: Any) -> Transition:
    """Register a job for this test; all items are due where nothing else is said."""
    values = {"due": lambda _cutoff: Item.objects.all(), **values}
    return registry.register(Transition(job=name, **values))


def go(moved: Transition, **values: Any) -> Outcome:
    """Run a job."""
    return run_transition(moved, now=NOW, as_of=NOW, **values)


def kept(run: int) -> list[tuple[Any, Any, Any]]:
    """Return what the batches of a run keep of each row: its key, and what it was and became."""
    rows: list[tuple[Any, Any, Any]] = []
    for batch in Batch.objects.filter(run=run).order_by("number"):
        rows += zip(batch.ids, batch.old, batch.new, strict=True)
    return sorted(rows)


def facts(run: int) -> tuple[str, int | None, int, int, str]:
    """Return how a run stands in the ledger: status, due, changed, failed, reason."""
    found = Run.objects.get(pk=run)
    return found.status, found.due, found.changed, found.failed, found.reason
