import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("EXEMPT", "exempt from payment"),
                            ("TRIALING", "trialing"),
                            ("ACTIVE", "active"),
                            ("PAST_DUE", "payment past due"),
                            ("CANCELED", "canceled"),
                            ("TRIAL_EXPIRED", "trial expired"),
                        ],
                        default="TRIALING",
                        max_length=16,
                    ),
                ),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="account",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "TRIALING")),
                        fields=["created", "id"],
                        name="accounts_account_trialing",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "EXEMPT",
                                    "TRIALING",
                                    "ACTIVE",
                                    "PAST_DUE",
                                    "CANCELED",
                                    "TRIAL_EXPIRED",
                                ],
                            )
                        ),
                        name="accounts_account_status_valid",
                    )
                ],
            },
        ),
    ]
