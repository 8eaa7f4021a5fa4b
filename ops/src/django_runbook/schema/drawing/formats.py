"""Writes the models down for Graphviz and for Mermaid. Pure text, the same for the same models."""

import unicodedata
from collections.abc import Collection, Iterator, Sequence

from django_runbook.schema.drawing.relations import Box, Column, Graph, Kind, Relation

FONT, BOLD = "Helvetica", "Helvetica-Bold"
#: Points.
SIZE, PADDING = 10, 4
#: Headings, one app after the other; each readable under white letters.
COLOURS = ("#3d5a80", "#40706a", "#6b5280", "#85602f", "#7f4a50", "#4f6238")
GREY = "#6e7781"
TABLE = (
    f'BORDER="1" CELLBORDER="0" CELLPADDING="{PADDING}" CELLSPACING="0" COLOR="#8c959f"'
    ' BGCOLOR="white"'
)
MERMAID_LINES = {
    (Kind.FOREIGN_KEY, False): "}o--||",
    (Kind.FOREIGN_KEY, True): "}o--o|",
    (Kind.ONE_TO_ONE, False): "|o--||",
    (Kind.ONE_TO_ONE, True): "|o--o|",
    (Kind.MANY_TO_MANY, False): "}o--o{",
    (Kind.PARENT, False): "|o--||",
}


def mermaid(graph: Graph) -> str:
    """Return an entity-relationship diagram, as GitHub draws it in a Markdown file."""
    lines = ["erDiagram"]
    for box in graph.boxes:
        columns = [f"        {_attribute(column)}" for column in box.columns]
        body = [" {", *columns, "    }"] if columns else [""]
        lines += [f"    {_entity(box.label)}{body[0]}", *body[1:]]
    lines += [f"    {_entity(label)}" for label in graph.others]
    for relation in graph.relations:
        line = MERMAID_LINES[relation.kind, relation.null]
        said = relation.field or relation.kind.value
        lines.append(f'    {_name(relation.source)} {line} {_name(relation.target)} : "{said}"')
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """Return the graph in Graphviz's language: a cluster for each app, a table for each model.

    A line leaves the row of its field, so it needs no label of its own. It ends in a crow's foot
    where there are many, a bar where there is one, and a bar with a circle where there may be none.
    """
    lines = [
        "digraph models {",
        f'    graph [bgcolor="white" fontname="{FONT}" fontsize={SIZE + 1}]',
        "    graph [nodesep=0.35 pad=0.2 rankdir=LR ranksep=0.8]",
        f'    node [fontname="{FONT}" fontsize={SIZE} shape=plain]',
        f'    edge [arrowsize=0.8 color="{GREY}"]',
    ]
    apps = sorted({box.app for box in graph.boxes})
    for index, app in enumerate(apps):
        boxes = [box for box in graph.boxes if box.app == app]
        lines += _cluster(app, COLOURS[index % len(COLOURS)], boxes)
    lines += map(_other, graph.others)
    lines += [_edge(relation, graph.others) for relation in graph.relations]
    return "\n".join([*lines, "}"]) + "\n"


def width(text: str, *, bold: bool = False) -> int:
    """Return how many points a text may take in the widest of the usual fonts (DejaVu Sans).

    Whoever looks at the picture has fonts of their own: Graphviz cannot know how wide they are.
    """
    return round(sum(map(_em, text)) * SIZE * (1.12 if bold else 1) + 0.5)


def _em(letter: str) -> float:
    """Return a letter's width as a share of the font's size, rounded up."""
    if letter in "ijl.,:;'|!()[]/\\ft Ir-":
        return 0.42
    if letter in "mwMW@%&" or unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return 0.79 if letter.isupper() else 0.64


def _name(label: str) -> str:
    return label.replace(".", "_")


def _entity(label: str) -> str:
    """Return a model as Mermaid names it, shown as Django does."""
    return f'{_name(label)}["{label}"]'


def _attribute(column: Column) -> str:
    """Return a column as Mermaid wants it: type, name, keys."""
    keys = [key for key, has in (("PK", column.primary_key), ("FK", column.foreign_key)) if has]
    return f"{column.kind} {column.name} {', '.join(keys)}".rstrip()


def _cluster(app: str, colour: str, boxes: Sequence[Box]) -> Iterator[str]:
    """Yield an app's frame with its models."""
    yield f'    subgraph "cluster_{app}" {{'
    yield (
        f'        graph [color="#d0d7de" fillcolor="#f6f8fa" fontcolor="#57606a" label="{app}"'
        ' labeljust=l margin=14 style="filled,rounded"]'
    )
    for box in boxes:
        rows = "".join(f"            {row}\n" for row in _rows(box, colour))
        yield f'        "{box.label}" [label=<<TABLE {TABLE}>\n{rows}        </TABLE>>]'
    yield "    }"


def _rows(box: Box, colour: str) -> Iterator[str]:
    """Yield a model's name, then its columns, as rows of a table."""
    title = f"{box.name} (proxy)" if box.proxy else box.name
    yield (
        f'<TR><TD ALIGN="LEFT" BGCOLOR="{colour}" COLSPAN="2" PORT="model"'
        f' {_width(title, bold=True)}><FONT COLOR="white" FACE="{BOLD}">{title}</FONT></TD></TR>'
    )
    for column in box.columns:
        name, kind = column.name, f"{column.kind}, null" if column.null else column.kind
        bold = column.primary_key
        shown = f'<FONT FACE="{BOLD}">{name}</FONT>' if bold else name
        yield (
            f'<TR><TD ALIGN="LEFT" {_width(name, bold=bold)}>{shown}</TD>'
            f'<TD ALIGN="LEFT" PORT="{name}_" {_width(kind)}><FONT COLOR="{GREY}">{kind}</FONT>'
            "</TD></TR>"
        )


def _width(text: str, *, bold: bool = False) -> str:
    """Return the least width of a cell, with its padding."""
    return f'WIDTH="{width(text, bold=bold) + 2 * PADDING}"'


def _other(label: str) -> str:
    """Return a model of an app that is not drawn: its name alone."""
    inches = (width(label) + 4 * PADDING) / 72
    return (
        f'    "{label}" [color="#8c959f" fontcolor="{GREY}" height=0.3 shape=box'
        f' style="dashed,rounded" width={inches:.2f}]'
    )


def _edge(relation: Relation, others: Collection[str]) -> str:
    """Return a line from the row of its field, at the right, to the head of the other model."""
    side = "e" if relation.source == relation.target else "w"
    head = f'"{relation.target}":{side if relation.target in others else f"model:{side}"}'
    if relation.kind is Kind.PARENT:
        return f'    "{relation.source}":model:e -> {head} [arrowhead=onormal style=dashed]'
    many = relation.kind is Kind.MANY_TO_MANY
    end = "crow" if many else "teeodot" if relation.null else "tee"
    start = "tee" if relation.kind is Kind.ONE_TO_ONE else "crow"
    return (
        f'    "{relation.source}":"{relation.field}_":e -> {head}'
        f" [arrowhead={end} arrowtail={start} dir=both]"
    )
