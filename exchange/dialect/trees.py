"""JSON that is filled in: nested tables and lists whose texts are templates."""

from collections.abc import Callable
from datetime import date, time
from typing import Any

import msgspec

from exchange.contract.mapping import Empty
from exchange.dialect.faults import Place, TemplateError
from exchange.dialect.scope import Scope
from exchange.dialect.template import Template, compile_template, constant
from exchange.dialect.words import text_of, to_json

DEPTH_MAX = 32
NODES_MAX = 5_000

Fill = Callable[[Any], Any]


class Node(msgspec.Struct, frozen=True):
    """A part of a tree: always the same, or made from a view."""

    constant: object = None
    fill: Fill | None = None
    secrets: tuple[str, ...] = ()


class Planter:
    """Compiles trees; what is not known is left out, empty or null, as the mapping says."""

    def __init__(self, scope: Scope, empty: Empty) -> None:
        self._scope = scope
        self._empty = empty
        self._nodes = 0

    def json(self, tree: object, place: Place) -> Template:
        """Return the template of a JSON text; what is wrong with it is kept at its place."""
        node = self.node(tree, place, 0)
        if node.fill is None:
            return constant(to_json(node.constant).decode(), node.secrets)
        fill = node.fill

        def text(view: object) -> str:
            return to_json(fill(view)).decode()

        return Template(text, text, secrets=node.secrets)

    def node(self, tree: object, place: Place, depth: int) -> Node:
        """Return one part of a tree, compiled."""
        self._nodes += 1
        if depth > DEPTH_MAX or self._nodes > NODES_MAX:
            place.fault(
                f"nests deeper than {DEPTH_MAX} levels, or has more than {NODES_MAX} values"
            )
            return Node()
        if isinstance(tree, dict):
            return self._table(tree, place, depth)
        if isinstance(tree, list | tuple):
            return self._list(tree, place, depth)
        try:
            return self._leaf(tree)
        except TemplateError as error:
            place.fault(str(error))
            return Node()

    def _leaf(self, tree: object) -> Node:
        if not isinstance(tree, str):
            if isinstance(tree, date | time):
                return Node(msgspec.to_builtins(tree))
            if tree is not None and text_of(tree) is None:
                raise TemplateError("is no number that JSON can hold")
            return Node(tree)
        template = compile_template(tree, self._scope)
        if template.is_constant:
            return Node(template.constant, None, template.secrets)
        return Node(None, template.value, template.secrets)

    def _table(self, tree: dict[str, object], place: Place, depth: int) -> Node:
        nodes = {key: self.node(item, place.at(key), depth + 1) for key, item in tree.items()}
        secrets = tuple(secret for node in nodes.values() for secret in node.secrets)
        if self._empty is not Empty.NULL:
            nodes = self._without_nothing(nodes)
        base = {key: node.constant for key, node in nodes.items()}
        fills = [(key, node.fill) for key, node in nodes.items() if node.fill is not None]
        if not fills:
            return Node(base, None, secrets)
        return Node(None, TABLES[self._empty](base, fills), secrets)

    def _without_nothing(self, nodes: dict[str, Node]) -> dict[str, Node]:
        """Return a table's parts where a constant that is nothing is left out, or empty."""
        if self._empty is Empty.OMIT:
            return {
                key: node
                for key, node in nodes.items()
                if node.fill is not None or node.constant is not None
            }
        return {
            key: Node("") if node.fill is None and node.constant is None else node
            for key, node in nodes.items()
        }

    def _list(self, tree: list[object] | tuple[object, ...], place: Place, depth: int) -> Node:
        nodes = [self.node(item, place.at(index), depth + 1) for index, item in enumerate(tree)]
        secrets = tuple(secret for node in nodes for secret in node.secrets)
        omit, nothing = self._empty is Empty.OMIT, "" if self._empty is Empty.EMPTY else None

        def fill(view: object) -> list[object]:
            items = [node.constant if node.fill is None else node.fill(view) for node in nodes]
            if omit:
                return [item for item in items if item is not None]
            return [nothing if item is None else item for item in items]

        if any(node.fill for node in nodes):
            return Node(None, fill, secrets)
        return Node(fill(None), None, secrets)


Fills = list[tuple[str, Fill]]


def omitting(base: dict[str, object], fills: Fills) -> Fill:
    """Return what fills a table in and leaves away what is not known."""

    def fill(view: object) -> dict[str, object]:
        table = base.copy()
        for key, part in fills:
            value = part(view)
            if value is None:
                del table[key]
            else:
                table[key] = value
        return table

    return fill


def emptying(base: dict[str, object], fills: Fills) -> Fill:
    """Return what fills a table in with an empty text for what is not known."""

    def fill(view: object) -> dict[str, object]:
        table = base.copy()
        for key, part in fills:
            value = part(view)
            table[key] = "" if value is None else value
        return table

    return fill


def nulling(base: dict[str, object], fills: Fills) -> Fill:
    """Return what fills a table in with null for what is not known."""

    def fill(view: object) -> dict[str, object]:
        table = base.copy()
        for key, part in fills:
            table[key] = part(view)
        return table

    return fill


TABLES: dict[Empty, Callable[[dict[str, object], Fills], Fill]] = {
    Empty.OMIT: omitting,
    Empty.EMPTY: emptying,
    Empty.NULL: nulling,
}
