"""What the parser reads and the planner does not build: refused by name and with its position."""

from __future__ import annotations

from mynode.base.sql_errors import FeatureNotSupportedError


def not_yet(node: object) -> FeatureNotSupportedError:
    """The error for a node of the syntax tree that the planner does not know."""
    position: int | None = getattr(node, "position", None)
    return FeatureNotSupportedError(f"{type(node).__name__} is not supported yet", position=position)
