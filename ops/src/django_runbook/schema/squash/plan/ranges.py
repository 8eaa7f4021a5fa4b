"""Reads the migrations of an app that are to be squashed, in their order, and refuses bad input."""

import difflib
from collections.abc import Sequence

from django.apps import apps
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import file_of, is_installed, require_linear


def chain(
    loader: MigrationLoader, app_label: str, first: str | None = None, last: str | None = None
) -> tuple[Migration, ...]:
    """Return the migrations of an app from ``first`` to ``last``, in the order of applying.

    Names may be given by their beginnings; without them, from the app's first to its last. At least
    two are returned. Raises ``MigrationsError`` with what mends it: no such app or migration, none
    at all, an installed package's, two leaves, a range that holds no two, and one with squashed
    migrations whose transition is not finished.
    """
    _require_app(loader, app_label)
    require_linear(loader, [app_label])
    (leaf,) = loader.graph.leaf_nodes(app_label)
    names = [name for app, name in loader.graph.forwards_plan(leaf) if app == app_label]
    begin = names.index(_named(app_label, names, first)) if first else 0
    end = names.index(_named(app_label, names, last)) if last else len(names) - 1
    chosen = names[begin : end + 1]
    if not chosen:
        raise MigrationsError(
            f"{app_label}.{names[begin]} comes after {names[end]}: name the earlier one first."
        )
    _require_finished(loader, app_label, chosen)
    if len(chosen) == 1:
        raise MigrationsError(
            f"{app_label}.{chosen[0]} is the only migration in the range: there is nothing to "
            "squash."
        )
    return tuple(loader.graph.nodes[app_label, name] for name in chosen)


def _require_app(loader: MigrationLoader, app_label: str) -> None:
    """Raise ``MigrationsError`` unless the app is there, has migrations, and they are ours."""
    labels = [app.label for app in apps.get_app_configs()]
    if app_label not in labels:
        near = difflib.get_close_matches(app_label, labels, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See INSTALLED_APPS."
        raise MigrationsError(f"There is no app '{app_label}'. {hint}")
    own = [found for (app, _), found in loader.graph.nodes.items() if app == app_label]
    if not own:
        raise MigrationsError(
            f"The app '{app_label}' has no migrations. Run 'inv db.make {app_label}' for its first."
        )
    if any(is_installed(file_of(migration)) for migration in own):
        raise MigrationsError(
            f"The migrations of '{app_label}' belong to an installed package, which is never "
            "changed. Squash an app of this repository."
        )


def _named(app_label: str, names: Sequence[str], wanted: str) -> str:
    """Return the one migration whose name is this, or begins with it."""
    found = [name for name in names if name == wanted] or [
        name for name in names if name.startswith(wanted)
    ]
    if len(found) > 1:
        raise MigrationsError(
            f"'{wanted}' may be {' or '.join(found)} of {app_label}: write more of the name."
        )
    if not found:
        near = difflib.get_close_matches(wanted, names, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"The last is {names[-1]}."
        raise MigrationsError(f"There is no migration '{wanted}' in {app_label}. {hint}")
    return found[0]


def _require_finished(loader: MigrationLoader, app_label: str, chosen: Sequence[str]) -> None:
    """Refuse a range with a squashed migration that still replaces others.

    Django 5.2 cannot squash such a one, Django 6.0 can (ticket 24529). It is refused on both, since
    the databases that have recorded a part of the old files would need all three generations.
    """
    for (app, name), squashed in sorted(loader.replacements.items()):
        replaced = [old for label, old in squashed.replaces if label == app_label]
        if app != app_label or not {name, *replaced}.intersection(chosen):
            continue
        applied = loader.applied_migrations or {}
        missing = [old for old in replaced if (app_label, old) not in applied]
        if loader.connection and missing and len(missing) < len(replaced):
            raise MigrationsError(
                f"{app_label}.{name} replaces {missing[0]}, which is not applied on "
                f"'{loader.connection.alias}'. Run 'inv db.migrate', and then "
                f"'inv db.squash {app_label} --finish'."
            )
        after = [later for later in chosen if later not in {name, *replaced}]
        more = f" Or begin after it: --from {after[0]}." if after and after[0] > name else ""
        raise MigrationsError(
            f"{app_label}.{name} is squashed, and its old files are still replaced by it. Run "
            f"'inv db.squash {app_label} --finish' first.{more}"
        )
