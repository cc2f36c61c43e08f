"""What the parser reads and the planner does not build yet: refused here, by name and with its position.

Whoever teaches the planner one of these takes it out of the tables below.
"""

from __future__ import annotations

from typing import Final, get_args

from mynode.base.errors import FeatureNotSupportedError
from mynode.sql import ast

_NODES: Final[dict[type, str]] = {}
_FIELDS: Final[dict[type, dict[str, str]]] = {
    ast.ColumnDefinition: {"identity": "GENERATED is"},
}
"""Fields that must be empty: None, False or no items."""
_LEAVES: Final = frozenset((str, int, bool, type(None), *get_args(ast.Literal), ast.ColumnReference, ast.Parameter))
"""What has nothing below it: most of a statement, not worth a look."""


def refuse_not_yet(statement: ast.Statement) -> None:
    """Raises `FeatureNotSupportedError` for the first thing in the statement that has no plan yet."""
    waiting: list[object] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting += [child for child in reversed(node) if type(child) not in _LEAVES]
            continue
        kind = type(node)
        if kind in _NODES:
            raise not_yet(node)
        for name, what in _FIELDS.get(kind, {}).items():
            if value := getattr(node, name):
                raise _error(what, value[0] if isinstance(value, tuple) else value, node)
        children = [getattr(node, name) for name in getattr(kind, "__slots__", ())]
        waiting += [child for child in reversed(children) if type(child) not in _LEAVES]


def not_yet(node: object) -> FeatureNotSupportedError:
    """The error for a node that the planner does not know."""
    return _error(_NODES.get(type(node), f"{type(node).__name__} is"), node, node)


def _error(what: str, place: object, otherwise: object) -> FeatureNotSupportedError:
    position = getattr(place, "position", None) or getattr(otherwise, "position", None)
    return FeatureNotSupportedError(f"{what} not supported yet", position=position)
