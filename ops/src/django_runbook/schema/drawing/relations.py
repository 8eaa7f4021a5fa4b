"""Reads the models and their relations, through django-extensions' graph_models."""

import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig, apps
from django.db.models import Field, ForeignKey, ManyToManyField, Model, OneToOneField

from django_runbook import extras

if TYPE_CHECKING:
    from django.db.models.options import Options

INSTALLED = {"site-packages", "dist-packages"}


class NoReaderError(Exception):
    """django-extensions is not installed. The message says how to get it."""


class NoModelsError(Exception):
    """An app is not there or has no models. The message names it and the near names."""


class Kind(Enum):
    """What a relation is, seen from the model that declares it."""

    FOREIGN_KEY = "many to one"
    ONE_TO_ONE = "one to one"
    MANY_TO_MANY = "many to many"
    PARENT = "inherits from"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A field, its own or from an abstract base; ``kind`` is its class, such as CharField."""

    name: str
    kind: str
    primary_key: bool
    foreign_key: bool
    null: bool


@dataclass(frozen=True, kw_only=True)
class Box:
    """A model of one of the chosen apps, with its columns in the order of declaration."""

    app: str
    name: str
    proxy: bool
    columns: tuple[Column, ...]

    @property
    def label(self) -> str:
        """Return the model as Django spells it, such as ``auth.User``."""
        return f"{self.app}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A line from the model that declares it; ``field`` is empty for inheritance."""

    source: str
    target: str
    field: str
    kind: Kind
    null: bool


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The models of the chosen apps, their relations, and the models elsewhere that those meet."""

    boxes: tuple[Box, ...]
    others: tuple[str, ...]
    relations: tuple[Relation, ...]


def read(labels: Sequence[str], root: Path) -> Graph:
    """Return the models of these apps; of none named, those whose code lies below ``root``.

    Sorted, so that the same models give the same graph. Raises ``NoModelsError``, and
    ``NoReaderError`` without django-extensions.
    """
    if lacking := extras.missing("django_extensions", "inv graph"):
        raise NoReaderError(lacking)
    from django_extensions.management.modelviz import generate_graph_data

    chosen = sorted(set(labels)) or own_apps(root)
    if not chosen:
        raise NoModelsError(f"No app below {root} has models. Name one: --app=auth")
    for label in chosen:
        _require_models(label)
    data = generate_graph_data(chosen, sort_fields=False, inheritance=False)
    drawn = [model for app in data["graphs"] for model in app["models"]]
    drawn = [model for model in drawn if not _meta(model["model"]).abstract]
    drawn.sort(key=lambda model: (_meta(model["model"]).app_label, model["name"]))
    boxes = tuple(map(_box, drawn))
    relations = tuple(relation for model in drawn for relation in _relations(model))
    targets = {relation.target for relation in relations}
    others = tuple(sorted(targets - {box.label for box in boxes}))
    return Graph(boxes=boxes, others=others, relations=relations)


def own_apps(root: Path) -> list[str]:
    """Return the labels of the apps with models whose code lies below ``root``, not installed."""
    return sorted(
        app.label for app in apps.get_app_configs() if _is_own(app, root) and any(app.get_models())
    )


def _is_own(app: AppConfig, root: Path) -> bool:
    """Tell whether an app is the project's: below ``root``, and in no virtual environment there."""
    path = Path(app.path).resolve()
    environment = sys.prefix != sys.base_prefix and path.is_relative_to(Path(sys.prefix).resolve())
    return path.is_relative_to(root) and not environment and not INSTALLED.intersection(path.parts)


def _require_models(label: str) -> None:
    """Raise ``NoModelsError`` unless the app is installed and has models."""
    configs = {app.label: app for app in apps.get_app_configs()}
    if label not in configs:
        near = difflib.get_close_matches(label, configs, n=3)
        with_models = sorted(name for name, app in configs.items() if any(app.get_models()))
        hint = f"Did you mean {' or '.join(near)}?" if near else f"One of {', '.join(with_models)}."
        raise NoModelsError(f"There is no app '{label}'. {hint}")
    if not any(configs[label].get_models()):
        raise NoModelsError(f"The app '{label}' has no models.")


def _box(data: dict[str, Any]) -> Box:
    """Return a model with its own columns, inherited from abstract bases or not."""
    meta = _meta(data["model"])
    fields = [column["field"] for column in data["fields"]]
    return Box(
        app=meta.app_label,
        name=data["name"],
        proxy=meta.proxy,
        columns=tuple(map(_column, [*fields, *meta.local_many_to_many])),
    )


def _column(field: "Field[Any, Any]") -> Column:
    return Column(
        name=field.name,
        kind=type(field).__name__,
        primary_key=field.primary_key,
        foreign_key=isinstance(field, ForeignKey),
        null=field.null,
    )


def _relations(data: dict[str, Any]) -> Iterator[Relation]:
    """Yield a model's relations as it declares them, then the models that it inherits from."""
    model: type[Model] = data["model"]
    meta = _meta(model)
    for found in data["relations"]:
        field = meta.get_field(found["name"])
        kind = Kind.FOREIGN_KEY
        if isinstance(field, OneToOneField):
            kind = Kind.ONE_TO_ONE
        elif isinstance(field, ManyToManyField):
            kind = Kind.MANY_TO_MANY
        if field.related_model:
            yield _relation(model, field.related_model, kind, field=field.name, null=field.null)
    for parent, link in meta.parents.items():
        if link in meta.local_fields:  # not a grandparent
            yield _relation(model, parent, Kind.PARENT)
    if meta.proxy and meta.concrete_model:
        yield _relation(model, meta.concrete_model, Kind.PARENT)


def _relation(
    source: type[Model], target: type[Model], kind: Kind, *, field: str = "", null: bool = False
) -> Relation:
    ends = {"source": _meta(source).label, "target": _meta(target).label}
    return Relation(**ends, field=field, kind=kind, null=null)


def _meta(model: type[Model]) -> "Options[Any]":
    """Return what Django documents as a public interface in spite of its name."""
    return model._meta
