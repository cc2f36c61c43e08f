"""`invariant`: the check for our own mistakes. Remote or user input gets a typed error instead."""

from __future__ import annotations

from mynode.base.errors import InvariantViolation


def invariant(condition: bool, message: str) -> None:
    """Raise `InvariantViolation(message)` unless `condition` holds."""
    if not condition:
        raise InvariantViolation(message)
