"""Which apps are drawn, and each of their models with every kind of relation."""

import sys

import pytest
from django.core.management import CommandError, call_command

from tests.ops.schema.drawing.drawn import shop_fixture

__all__ = ["shop_fixture"]

MERMAID = """\
erDiagram
    shop_Bargain["shop.Bargain"]
    shop_Book["shop.Book"] {
        OneToOneField product_ptr PK, FK
        IntegerField pages
    }
    shop_Customer["shop.Customer"] {
        BigAutoField id PK
        CharField password
        DateTimeField last_login
        ForeignKey friend FK
    }
    shop_Novel["shop.Novel"] {
        OneToOneField book_ptr PK, FK
        OneToOneField sequel FK
    }
    shop_Order["shop.Order"] {
        BigAutoField id PK
        ForeignKey customer FK
        ForeignKey product FK
    }
    shop_Product["shop.Product"] {
        CharField code PK
        DateField added
        ForeignKey by FK
        ForeignKey kind FK
        ManyToManyField buyers
        ManyToManyField similar
    }
    contenttypes_ContentType["contenttypes.ContentType"]
    shop_Bargain |o--|| shop_Product : "inherits from"
    shop_Book |o--|| shop_Product : "inherits from"
    shop_Customer }o--o| shop_Customer : "friend"
    shop_Novel |o--o| shop_Novel : "sequel"
    shop_Novel |o--|| shop_Book : "inherits from"
    shop_Order }o--|| shop_Customer : "customer"
    shop_Order }o--|| shop_Product : "product"
    shop_Product }o--|| shop_Customer : "by"
    shop_Product }o--|| contenttypes_ContentType : "kind"
    shop_Product }o--o{ shop_Product : "similar"
"""
PRODUCT = """\
erDiagram
    accounts_Account["accounts.Account"] {
        BigAutoField id PK
        OneToOneField user FK
        CharField status
        DateTimeField created
    }
    users_Profile["users.Profile"] {
        BigAutoField id PK
        OneToOneField user FK
        CharField display_name
    }
    users_User["users.User"] {
        BigAutoField id PK
        CharField password
        DateTimeField last_login
        BooleanField is_superuser
        CharField username
        CharField first_name
        CharField last_name
        EmailField email
        BooleanField is_staff
        BooleanField is_active
        DateTimeField date_joined
        ManyToManyField groups
        ManyToManyField user_permissions
    }
    auth_Group["auth.Group"]
    auth_Permission["auth.Permission"]
    accounts_Account |o--|| users_User : "user"
    users_Profile |o--|| users_User : "user"
    users_User }o--o{ auth_Group : "groups"
    users_User }o--o{ auth_Permission : "user_permissions"
"""


@pytest.mark.slow
def test_mermaid_of_the_product(commands):
    """The whole text: the apps named, their fields, and the models elsewhere that they meet."""
    done = commands.manage(
        "model_graph", "--format=mermaid", "--app=users", "--app=accounts", DATABASE_URL="sqlite://"
    )
    assert (done.code, done.out, done.err) == (0, PRODUCT, "")


@pytest.mark.slow
def test_own_apps_and_every_kind_of_relation(shop):
    """Without --app: what lies below the root and is not installed there; no abstract base."""
    file = shop.wrote("models.mmd")
    assert file.read_text() == MERMAID
    assert (
        shop.inv("graph", "--output=models.mmd").out == "models.mmd shows the models as they are\n"
    )


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("-x y", "There is no app '-x y'. One of accounts, "),
        ("user", "There is no app 'user'. Did you mean users?"),
        ("staticfiles", "The app 'staticfiles' has no models."),
    ],
)
def test_app_that_cannot_be_drawn(label, message):
    """The message names it and the near names, or those that there are."""
    with pytest.raises(CommandError) as error:
        call_command("model_graph", f"--app={label}")
    assert error.value.returncode == 2
    assert str(error.value).startswith(message)


@pytest.mark.slow
def test_repository_without_models(shop):
    """Nothing of its own to draw: the message says how to draw something else."""
    done = shop.commands.run(
        sys.executable, "backend/manage.py", "model_graph", "--root=tools", cwd=shop.root
    )
    assert (done.code, done.out) == (2, "")
    folder = shop.root / "tools"
    assert done.err == f"CommandError: No app below {folder} has models. Name one: --app=auth\n"
