"""A graph as text for Graphviz and for Mermaid."""

from django_runbook.schema.drawing.formats import dot, mermaid
from django_runbook.schema.drawing.relations import Box, Column, Graph, Kind, Relation
from tests.ops.schema.drawing.drawn import DOT

SMALL = Graph(
    boxes=(
        Box(
            app="shop",
            name="Order",
            proxy=False,
            columns=(
                Column(
                    name="id", kind="AutoField", primary_key=True, foreign_key=False, null=False
                ),
                Column(
                    name="user", kind="ForeignKey", primary_key=False, foreign_key=True, null=True
                ),
            ),
        ),
        Box(app="shop", name="Late", proxy=True, columns=()),
    ),
    others=("auth.User",),
    relations=(
        Relation(
            source="shop.Order", target="auth.User", field="user", kind=Kind.FOREIGN_KEY, null=True
        ),
        Relation(source="shop.Late", target="shop.Order", field="", kind=Kind.PARENT, null=False),
    ),
)


def test_dot_of_a_small_graph():
    """The whole text: a cluster, a table with a port for each row, a proxy, a model elsewhere."""
    assert dot(SMALL) == DOT


def test_mermaid_of_no_relations():
    """A model alone is a diagram too."""
    alone = Graph(boxes=SMALL.boxes[:1], others=(), relations=())
    assert mermaid(alone).count("\n") == 5
